/**
 * The manifests of deploy/kubernetes: checked by Kubernetes' own schemas, and against what they
 * run.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';

import { loadSettings, SETTING_NAMES } from '../../src/platform/settings/settings.ts';
import { runCommand } from '../../dev/run-command.ts';
import { MANIFESTS, manifestFiles, readManifests } from './manifests.ts';
import { findPython } from '../support/python.ts';

const ROOT = join(MANIFESTS, '..', '..');
const VALIDATOR = {
  module: 'kubernetes_validate',
  requirements: join(import.meta.dirname, '..', 'support', 'kubernetes-validate.txt'),
};
/** The oldest that docs/deployment.md names, and the newest available. */
const VERSIONS = ['1.25', '1.37'];

const MANIFEST_LIST = readManifests();
const DEPLOYMENTS = MANIFEST_LIST.filter(({ kind }) => kind === 'Deployment');
const WORKLOADS = MANIFEST_LIST.filter(({ kind }) => ['Deployment', 'Job'].includes(kind));
const CONFIG = MANIFEST_LIST.find(({ kind }) => kind === 'ConfigMap')?.data ?? {};
const names = (kind: string) =>
  MANIFEST_LIST.filter((each) => each.kind === kind).map(({ metadata }) => metadata.name);

let python: string;
beforeAll(async () => {
  python = await findPython(VALIDATOR);
}, 5 * 60_000);

async function validate(version: string, files: readonly string[]) {
  const args = ['-m', 'kubernetes_validate', '--strict', '-k', version, ...files];
  return runCommand(python, args, { env: { PATH: process.env['PATH'] }, timeoutMs: 60_000 });
}

test.each(VERSIONS)("fit Kubernetes %s's schemas, strictly", async (version) => {
  const result = await validate(
    version,
    manifestFiles().map((name) => join(MANIFESTS, name)),
  );
  expect(result).toMatchObject({ ok: true });
});

test('the oldest supported version is named in the docs', () => {
  const page = readFileSync(join(ROOT, 'docs', 'deployment.md'), 'utf8');
  expect(page).toContain(`Kubernetes ${VERSIONS[0]} or newer`);
});

test('each is applied by the kustomization, except for the examples of secrets', () => {
  const { resources } = parse(readFileSync(join(MANIFESTS, 'kustomization.yaml'), 'utf8'));
  expect(resources.toSorted()).toEqual(
    manifestFiles()
      .filter((name) => !name.includes('.example.'))
      .toSorted(),
  );
});

describe('every process', () => {
  test('exists, with its entry point', () => {
    expect(names('Deployment').toSorted()).toEqual(['api', 'dispatcher', 'scheduler', 'worker']);
    expect(names('Job')).toEqual(['migrate']);
    for (const { spec } of WORKLOADS) {
      const [{ image, args }] = spec.template.spec.containers;
      expect(image).toBe('daybell');
      expect({ [args[0]]: existsSync(join(ROOT, args[0])) }).toEqual({ [args[0]]: true });
    }
  });

  test.each(WORKLOADS.map((each) => [each.metadata.name, each] as const))(
    '%s is not root, writes nowhere, has no privileges, and declares its resources',
    (_name, { spec }) => {
      const { securityContext, containers } = spec.template.spec;
      expect(securityContext).toMatchObject({ runAsNonRoot: true, runAsUser: 1000 });
      const [container] = containers;
      expect(container.securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
      expect(Object.keys(container.resources.requests).toSorted()).toEqual(['cpu', 'memory']);
    },
  );

  test.each(DEPLOYMENTS.map((each) => [each.metadata.name, each] as const))(
    '%s is selected by its own labels, probed on a port that it serves, and never completely unavailable',
    (name, { spec }) => {
      expect(spec.template.metadata.labels).toEqual(spec.selector.matchLabels);
      const [{ ports = [], readinessProbe, livenessProbe }] = spec.template.spec.containers;
      const served = Object.fromEntries(ports.map((port) => [port.name, port.containerPort]));
      expect(served['metrics']).toBe(Number(CONFIG['METRICS_PORT']));
      if (name === 'api') expect(served['http']).toBe(Number(CONFIG['PORT']));
      expect(readinessProbe?.httpGet.path).toBe('/readyz');
      expect(livenessProbe?.httpGet.path).toBe('/healthz');
      for (const probe of [readinessProbe, livenessProbe]) {
        expect(Object.keys(served)).toContain(probe?.httpGet.port);
      }
      expect(names('PodDisruptionBudget')).toContain(name);
    },
  );

  test('is scaled only if it exists', () => {
    for (const { spec } of MANIFEST_LIST.filter(({ kind }) => kind === 'HorizontalPodAutoscaler')) {
      expect(spec.scaleTargetRef.kind).toBe('Deployment');
      expect(names('Deployment')).toContain(spec.scaleTargetRef.name);
    }
  });

  test('that scales by an external metric gets it from the adapter', () => {
    const values = readFileSync(join(MANIFESTS, 'prometheus-adapter.values.yaml'), 'utf8');
    const given = parse(values).rules.external.map(
      (rule: { name: { as: string } }) => rule.name.as,
    );
    const wanted = [...JSON.stringify(MANIFEST_LIST).matchAll(/"metric":\{"name":"(\w+)"\}/g)];
    expect(wanted.map(([, name]) => name).toSorted()).toEqual(given.toSorted());
  });
});

describe('settings', () => {
  test('exist, and are usable', () => {
    const { TEMPORAL_NAMESPACE: _temporals, ...ours } = CONFIG;
    expect(Object.keys(ours).filter((name) => !SETTING_NAMES.includes(name))).toEqual([]);
    expect(loadSettings(ours).HOST).toBe('0.0.0.0');
  });

  test.each(WORKLOADS.map((each) => [each.metadata.name, each] as const))(
    'of %s can be any in the ConfigMap, and name files of the Secret daybell-files',
    (_name, { spec }) => {
      const { containers, volumes } = spec.template.spec;
      const [{ envFrom, volumeMounts }] = containers;
      expect(envFrom).toContainEqual({ configMapRef: { name: 'daybell' } });
      expect(volumes).toEqual([
        { name: 'files', secret: { secretName: 'daybell-files', optional: true } },
      ]);
      expect(volumeMounts).toEqual([{ name: 'files', mountPath: '/files', readOnly: true }]);
    },
  );

  test('that are secret come from the Secret, whose example has them all, without values', () => {
    const example = MANIFEST_LIST.find(
      ({ kind, metadata }) => kind === 'Secret' && metadata.name === 'daybell',
    );
    const given = WORKLOADS.flatMap(({ metadata, spec }) =>
      spec.template.spec.containers[0].env.map((variable) => ({ ...variable, of: metadata.name })),
    );
    expect(given.filter(({ value }) => value !== undefined)).toMatchObject([
      { name: 'WORKER_ROLE', value: 'all' },
    ]);
    const keys = new Set<string>();
    for (const { of, name, valueFrom } of given) {
      if (valueFrom === undefined) continue;
      // The migration uses another role than the processes.
      const isOwner = of === 'migrate' && name === 'DATABASE_URL';
      const key = isOwner ? 'DATABASE_OWNER_URL' : name;
      const isOptional = name.startsWith('OPERATIONS_') && { optional: true };
      expect(valueFrom.secretKeyRef).toEqual({ name: 'daybell', key, ...isOptional });
      expect(SETTING_NAMES).toContain(name);
      keys.add(key);
    }
    expect(Object.keys(example?.stringData ?? {}).toSorted()).toEqual([...keys].toSorted());
    const values = MANIFEST_LIST.flatMap(({ stringData }) => Object.values(stringData ?? {}));
    expect(values.filter((value) => value !== '')).toEqual([]);
  });

  test('give a dispatcher longer to stop than any request may take', () => {
    const dispatcher = DEPLOYMENTS.find(({ metadata }) => metadata.name === 'dispatcher');
    const graceSeconds = dispatcher?.spec.template.spec.terminationGracePeriodSeconds ?? 0;
    const longestMs = loadSettings({ WEBHOOK_TIMEOUT_MS: '120000' }).WEBHOOK_TIMEOUT_MS;
    expect(() => loadSettings({ WEBHOOK_TIMEOUT_MS: '120001' })).toThrow(/WEBHOOK_TIMEOUT_MS/);
    expect(graceSeconds * 1000).toBeGreaterThanOrEqual(longestMs + 20_000);
  });
});
