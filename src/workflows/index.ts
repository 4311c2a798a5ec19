/** The workflow types of the bundle: an event type's name is its workflow's. */
export { birthday } from './birthday.ts';
