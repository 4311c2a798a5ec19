/** What a key can be allowed to do. Reading does not come with writing. */
export const SCOPES = ['users:read', 'users:write', 'deliveries:read', 'deliveries:write'] as const;

export type Scope = (typeof SCOPES)[number];
