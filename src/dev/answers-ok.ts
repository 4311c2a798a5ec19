/** A server on loopback that does not answer by then is not ready. */
const ASK_LIMIT_MS = 2_000;

/** Whether a server answers this with 2xx at this moment; one that is not there does not. */
export async function answersOk(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(ASK_LIMIT_MS) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false;
  }
}
