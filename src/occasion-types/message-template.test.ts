import { describe, expect, it } from 'vitest';

import { builtInMessage, messageOf } from './built-in.ts';
import { compileMessage, messageFault, MESSAGE_MAX } from './message-template.ts';

const VALUES = {
  firstName: 'Ada',
  lastName: 'Lovelace',
  years: 36,
  date: '2026-05-20',
  data: {
    plan: 'gold',
    seats: 0,
    trial: false,
    address: { city: 'London' },
    tags: ['a'],
    note: '',
  },
};
const render = (template: string, values: Partial<typeof VALUES> = {}) =>
  compileMessage(template)({ ...VALUES, ...values });

describe('a message', () => {
  it.each([
    ['{firstName} {lastName}, {years} on {date}', 'Ada Lovelace, 36 on 2026-05-20'],
    ['Your {data.plan|usual} plan', 'Your gold plan'],
    ['{data.seats|no} seats, trial: {data.trial|-}', '0 seats, trial: false'],
    ['To {data.address.city|somewhere}', 'To London'],
    ['{{firstName}} is {firstName}', '{firstName} is Ada'],
    ['no placeholder', 'no placeholder'],
  ])('%j is %j', (template, message) => {
    expect(render(template)).toBe(message);
  });

  it.each(['plans', 'plan.name', 'note', 'address', 'tags', 'constructor', '__proto__'])(
    'has the default if data.%s is missing, empty, or not text',
    (field) => {
      expect(render(`Your {data.${field}|usual} plan`)).toBe('Your usual plan');
    },
  );

  it('has the default if there are no data', () => {
    const message = compileMessage('Your {data.plan|usual} plan');
    expect(message({ ...VALUES, data: null })).toBe('Your usual plan');
  });

  it('inserts a value as it is, and not as a template', () => {
    expect(render('Hey, {firstName}', { firstName: '{lastName}' })).toBe('Hey, {lastName}');
  });

  it.each([
    ['Björk', '', "Hey, Björk it's your birthday"],
    ['', 'Suharto', "Hey, Suharto it's your birthday"],
    ['', '', "Hey, it's your birthday"],
    ['Mary Ann', 'van der Berg', "Hey, Mary Ann van der Berg it's your birthday"],
    ['"Bo\\"', 'O’Neil', 'Hey, "Bo\\" O’Neil it\'s your birthday'],
  ])(
    'greets %j %j by name, and an empty name leaves no space behind',
    (firstName, lastName, text) => {
      expect(messageOf('birthday')({ ...VALUES, firstName, lastName })).toBe(text);
    },
  );
});

describe('a template', () => {
  it.each([
    ['{nickname}', 'must not have {nickname}'],
    ['{FirstName}', 'must not have {FirstName}'],
    ['{ firstName }', 'must not have { firstName }'],
    ['{}', 'must not have {}'],
    ['{data}', 'must not have {data}'],
    ['{data.|x}', 'must not have {data.}'],
    ['{data.plan}', 'must give {data.plan} a default, such as {data.plan|none}'],
    ['{data.plan|}', 'must give {data.plan} a default'],
    ['Hey {firstName', 'must write a brace that is text twice'],
    ['Hey firstName}', 'must write a brace that is text twice'],
    ['{first{Name}}', 'must write a brace that is text twice'],
    ['two\nlines', 'must not contain control characters'],
    ['x'.repeat(MESSAGE_MAX + 1), `must have at most ${MESSAGE_MAX} code points`],
  ])('%j is refused: it %s', (template, rule) => {
    expect(messageFault(template)).toContain(rule);
  });

  it.each(['birthday', 'birthday-reminder', 'anniversary', 'reminder', 'subscription', 'check-up'])(
    'of the type %s is built in, and has no fault',
    (type) => {
      expect(messageFault(builtInMessage(type))).toBeNull();
    },
  );
});
