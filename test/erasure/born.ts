const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** Zones without daylight saving time, by the hour in UTC at which it is 9:00 there. */
const NINE_O_CLOCK = {
  0: 'Asia/Tokyo',
  5: 'Asia/Dubai',
  9: 'Africa/Abidjan',
  14: 'America/Bogota',
  19: 'Pacific/Honolulu',
};

/** A user whose 9:00 on the birthday comes, or came, within five hours after an instant. */
export function bornForNineAfter(from: number) {
  const today = Math.floor(from / DAY) * DAY;
  for (const day of [today, today + DAY]) {
    for (const [hour, timezone] of Object.entries(NINE_O_CLOCK)) {
      const dueAt = day + Number(hour) * HOUR;
      const dateOfBirth = `1992${new Date(dueAt).toISOString().slice(4, 10)}`;
      if (dueAt >= from) return { dueAt, timezone, dateOfBirth };
    }
  }
  throw new Error('unreachable');
}
