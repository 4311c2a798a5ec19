/** Daybell's processes as run by the units of docs/production.md, without systemd. */
import { runProgram, type TestProcess } from '../../support/process.ts';
import { blockOf, rowOf, withPlaces } from './pages.ts';

export const SERVICES = ['api', 'worker', 'dispatcher', 'scheduler'] as const;
export type ServiceName = (typeof SERVICES)[number];

/** The content of the files in /etc/daybell, by file. */
export type SettingsFiles = Readonly<
  Record<'settings' | 'migrate' | ServiceName, Readonly<Record<string, string>>>
>;

/** Starts the unit `daybell@<name>`, or `daybell-migrate`. */
export function startUnit(name: 'migrate' | ServiceName, files: SettingsFiles): TestProcess {
  const file = name === 'migrate' ? 'daybell-migrate.service' : 'daybell@.service';
  const unit = withPlaces(blockOf('production', 'systemd', 'ini', `/system/${file}\n`), {
    '/opt/daybell': process.cwd(),
  }).replaceAll('%i', name);
  const settings: Record<string, string> = {};
  for (const [, path = ''] of unit.matchAll(/^EnvironmentFile=\/etc\/daybell\/(\w+)$/gm)) {
    Object.assign(settings, fileOf(path as keyof SettingsFiles, files));
  }
  const [, command = ''] = /^ExecStart=(.*)$/m.exec(unit) ?? [];
  const [program = '', ...args] = command
    .split(' ')
    .map((word) =>
      word.replace(/^\$\{(\w+)\}$/, (_, variable: string) => settings[variable] ?? ''),
    );
  return runProgram(program, args, { settings });
}

/** Contains what the page says, and whatever else is needed here. */
function fileOf(name: keyof SettingsFiles, files: SettingsFiles): Record<string, string> {
  const [, contents = ''] = rowOf('production', `\`/etc/daybell/${name}\``);
  const settings: Record<string, string> = {};
  for (const [, variable = '', value] of contents.matchAll(/`([A-Z_]+)(?:=([^`]*))?`/g)) {
    const given = files[name][variable] ?? value;
    if (given === undefined) throw new Error(`/etc/daybell/${name} has no ${variable}`);
    settings[variable] = given;
  }
  return { ...settings, ...files[name] };
}
