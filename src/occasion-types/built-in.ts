import { compileMessage, messageFault, type RenderMessage } from './message-template.ts';

/** Messages of the types that come with Daybell, until another is set. */
const MESSAGES: ReadonlyMap<string, string> = new Map([
  ['birthday', "Hey, {firstName} {lastName} it's your birthday"],
  ['birthday-reminder', "{firstName} {lastName}'s birthday is on {date}"],
  ['anniversary', "Hey, {firstName} {lastName} it's your anniversary"],
  ['reminder', 'Hey, {firstName} {lastName} this is your reminder for {date}'],
  ['subscription', 'Hey, {firstName} {lastName} your subscription renews on {date}'],
]);

export const BUILT_IN_TYPES: readonly string[] = [...MESSAGES.keys()];

/** The template of a type without one of its own. */
export function builtInMessage(type: string): string {
  const name = type.replaceAll('-', ' ');
  return MESSAGES.get(type) ?? `Hey, {firstName} {lastName} it's time for your ${name}`;
}

/**
 * Renders a type's template for a user. An invalid one, written by SQL, falls back to the built-in
 * one.
 */
export function messageOf(type: string, template: string | null = null): RenderMessage {
  const isUsable = template !== null && messageFault(template) === null;
  return compileMessage(isUsable ? template : builtInMessage(type));
}
