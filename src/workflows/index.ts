/** The workflow types of the bundle: an event type's name is its workflow's. */
export { birthday } from './birthday.ts';
export { erasure } from './erasure.ts';
export { housekeeping } from './housekeeping.ts';
export { reconcile } from './reconcile.ts';
export { redelivery } from './redelivery.ts';
export { redeliveryBatch } from './redelivery-batch.ts';
