/** What a figure is meaningless without: the machine and the versions that it was measured with. */
import { cpus, release, totalmem, type } from 'node:os';

export interface MachineFacts {
  readonly cores: number;
  readonly processor: string;
  readonly memoryBytes: number;
  readonly system: string;
  readonly node: string;
}

export function machineFacts(): MachineFacts {
  const cores = cpus();
  return {
    cores: cores.length,
    processor: cores[0]?.model.trim() ?? 'unknown',
    memoryBytes: totalmem(),
    system: `${type()} ${release()}`,
    node: process.version,
  };
}
