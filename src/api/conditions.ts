/** Conditional requests (RFC 9110, 13) for what has an ETag. We send no dates, and ignore those. */
import { z } from '@hono/zod-openapi';

const TAG = String.raw`(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"`;
/** Elements of a list can be empty (RFC 9110, 5.6.1.2). */
const TAGS = String.raw`[\t ,]*(?:${TAG}(?:[\t ]*,[\t ,]*${TAG})*[\t ,]*)?`;

function entityTags(description: string) {
  return z
    .string()
    .regex(new RegExp(String.raw`^(?:\*|${TAGS})$`), 'must be "*" or entity tags, such as "3"')
    .optional()
    .openapi({ description, example: '"3"' });
}

export const conditions = z.object({
  'If-Match': entityTags('Proceed only if this is the current ETag; otherwise 412'),
  'If-None-Match': entityTags(
    'Proceed only if this is not the current ETag; otherwise 304 for GET, and 412 for a change. `*` is any',
  ),
});

export type Conditions = z.output<typeof conditions>;

/** If-Match compares strongly: a weak tag is never the current one. `etags` is empty if nothing exists. */
function isMatch({ 'If-Match': tags }: Conditions, ...etags: readonly string[]): boolean {
  if (tags === undefined) return true;
  return tags === '*' ? etags.length > 0 : etags.some((etag) => tagsOf(tags).includes(etag));
}

/** If-None-Match compares weakly: a proxy that compresses makes tags weak. */
export function isNoneMatch(
  { 'If-None-Match': tags }: Conditions,
  ...etags: readonly string[]
): boolean {
  if (tags === undefined || etags.length === 0) return true;
  return tags !== '*' && !tagsOf(tags).some((tag) => etags.includes(tag.replace(/^W\//, '')));
}

/** The tags that a revision can have; none for null, when nothing exists yet. */
type TagsOf = (revision: number) => readonly string[];

/** Which revisions a request reads: whether the reader has one already is another question. */
export function readableBy(asked: Conditions, tagsOf: TagsOf) {
  return (revision: number | null): boolean =>
    isMatch(asked, ...(revision === null ? [] : tagsOf(revision)));
}

/** Which revisions a request changes. */
export function acceptedBy(asked: Conditions, tagsOf: TagsOf) {
  return (revision: number | null): boolean => {
    const etags = revision === null ? [] : tagsOf(revision);
    return isMatch(asked, ...etags) && isNoneMatch(asked, ...etags);
  };
}

/** For the description of a response with an ETag. */
export function etagHeader(of: string) {
  return {
    ETag: {
      schema: { type: 'string' as const },
      description: `Changes with every change of the ${of}`,
    },
  };
}

function tagsOf(list: string): string[] {
  return list.match(new RegExp(TAG, 'g')) ?? [];
}
