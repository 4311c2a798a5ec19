/** Rejects when that takes longer; what is under way goes on, and nobody waits for it. */
export async function withinLimit<Result>(work: Promise<Result>, limitMs: number): Promise<Result> {
  const { promise: limit, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error('took too long')), limitMs);
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
  }
}
