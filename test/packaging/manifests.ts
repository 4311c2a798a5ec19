/** The manifests of deploy/kubernetes. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { parseAllDocuments } from 'yaml';

export const MANIFESTS = join(import.meta.dirname, '..', '..', 'deploy', 'kubernetes');

export interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly stringData?: Readonly<Record<string, string>>;
  // As deeply nested as Kubernetes defines it; the tests know what they look for.
  readonly spec: Workload & Readonly<Record<string, unknown>>;
}

export interface Workload {
  readonly template: {
    readonly metadata: { readonly labels: Readonly<Record<string, string>> };
    readonly spec: Pod;
  };
  readonly selector: { readonly matchLabels: Readonly<Record<string, string>> };
  readonly scaleTargetRef: { readonly kind: string; readonly name: string };
}

export interface Pod {
  readonly terminationGracePeriodSeconds?: number;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly containers: readonly [Container];
  readonly volumes?: readonly object[];
}

interface Container {
  readonly image: string;
  readonly args: readonly [string];
  readonly envFrom?: readonly object[];
  readonly volumeMounts?: readonly object[];
  readonly env: readonly {
    readonly name: string;
    readonly value?: string;
    readonly valueFrom?: { readonly secretKeyRef: { readonly name: string; readonly key: string } };
  }[];
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly resources: { readonly requests: Readonly<Record<string, string>> };
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly readinessProbe?: Probe;
  readonly livenessProbe?: Probe;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

/** Files for Kubernetes; the others are for other programs. */
export function manifestFiles(): string[] {
  const others = new Set(['kustomization.yaml', 'prometheus-adapter.values.yaml']);
  return readdirSync(MANIFESTS).filter((name) => name.endsWith('.yaml') && !others.has(name));
}

export function readManifests(): Manifest[] {
  return manifestFiles().flatMap((file) => {
    const text = readFileSync(join(MANIFESTS, file), 'utf8');
    return parseAllDocuments(text).map((document) => document.toJS() as Manifest);
  });
}
