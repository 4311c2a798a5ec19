/** The workflow types of the bundle. */
export { erasure } from './erasure.ts';
export { housekeeping } from './housekeeping.ts';
export { occasion } from './occasion.ts';
export { reconcile } from './reconcile.ts';
