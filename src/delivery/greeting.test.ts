import { describe, expect, it } from 'vitest';

import { greetingBody, type GreetingInput } from './greeting.ts';

const birthday: GreetingInput = {
  occasionType: 'birthday',
  occurrenceKey: 'birthday:01890a5d-ac96-774b-bcce-b302099a8057:2026',
  recipient: {
    userId: '01890a5d-ac96-774b-bcce-b302099a8057',
    externalId: null,
    firstName: 'Ada',
    lastName: 'Lovelace',
    timezone: 'Europe/London',
  },
  localDate: '2026-12-10',
  dueAt: Date.parse('2026-12-10T09:00:00Z'),
  late: false,
};

function messageTo(firstName: string, lastName: string): string {
  const recipient = { ...birthday.recipient, firstName, lastName };
  return greetingBody({ ...birthday, recipient }).message;
}

describe('the body of the webhook', () => {
  it('says who is due, for which occurrence and when', () => {
    expect(greetingBody(birthday)).toEqual({
      type: 'birthday.due',
      timestamp: '2026-12-10T09:00:00.000Z',
      message: "Hey, Ada Lovelace it's your birthday",
      data: {
        occurrenceKey: 'birthday:01890a5d-ac96-774b-bcce-b302099a8057:2026',
        userId: '01890a5d-ac96-774b-bcce-b302099a8057',
        externalId: null,
        firstName: 'Ada',
        lastName: 'Lovelace',
        timezone: 'Europe/London',
        localDate: '2026-12-10',
        dueAt: '2026-12-10T09:00:00.000Z',
        late: false,
      },
    });
  });

  it('holds nothing of a recipient but what is said of them', () => {
    const recipient = { ...birthday.recipient, dateOfBirth: '1815-12-10' };
    expect(JSON.stringify(greetingBody({ ...birthday, recipient }))).not.toContain('1815');
  });

  it.each([
    ['Björk', '', "Hey, Björk it's your birthday"],
    ['', 'Suharto', "Hey, Suharto it's your birthday"],
    ['', '', "Hey, it's your birthday"],
    ['Mary Ann', 'van der Berg', "Hey, Mary Ann van der Berg it's your birthday"],
    ['"Bo\\"', 'O’Neil', 'Hey, "Bo\\" O’Neil it\'s your birthday'],
  ])('greets %j %j by name', (firstName, lastName, message) => {
    expect(messageTo(firstName, lastName)).toBe(message);
  });
});

it.each(['anniversary', 'constructor', ''])(
  'a type without a message, such as %j, is an error',
  (occasionType) => {
    expect(() => greetingBody({ ...birthday, occasionType })).toThrow(RangeError);
  },
);
