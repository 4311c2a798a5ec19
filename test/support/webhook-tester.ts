import type { WebhookTester } from '../../src/delivery/webhook-test.ts';

/** Fake answers for an unused receiver: each test event was delivered. */
export function webhookTesterStub(
  check: WebhookTester['check'] = () => Promise.reject(new Error('no check in this test')),
): Pick<WebhookTester, 'send' | 'check'> {
  return {
    send: async () => ({
      webhookId: 'test:1',
      sentAt: Date.UTC(2027, 4, 20, 9),
      durationMs: 42,
      status: 204,
      errorCode: null,
      verdict: 'delivered',
      explanation: 'Delivered.',
      responseExcerpt: '<script>alert(1)</script>',
      signatures: 1,
    }),
    check,
  };
}
