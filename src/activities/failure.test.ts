import { expect, test } from 'vitest';

import { withoutData } from './failure.ts';

test("Temporal gets an error's name, code and stack frames, but no values", () => {
  const error = Object.assign(new Error("insert into users values ('Ada', '1815-12-10')"), {
    name: 'DriverException',
    code: '57P01',
  });

  const failure = withoutData(error);

  expect(failure).toMatchObject({
    message: 'DriverException (57P01)',
    type: 'DriverException',
    nonRetryable: false,
  });
  expect(failure.stack).toContain('failure.test.ts');
  expect(`${failure.stack}${failure.message}${failure.cause}`).not.toMatch(/Ada|1815/);
});

test('a thrown value that is not an error is retried too', () => {
  expect(withoutData('1815-12-10')).toMatchObject({ message: 'Error', nonRetryable: false });
});
