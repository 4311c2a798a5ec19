/** The engine's view of those who work for this installation. Each call rejects while it is away. */
export interface EngineState {
  /** How many workers have asked for such work in the last two minutes. */
  countPollers(kind: WorkKind): Promise<number>;
}

export const WORK_KINDS = ['workflow', 'activity'] as const;
export type WorkKind = (typeof WORK_KINDS)[number];
