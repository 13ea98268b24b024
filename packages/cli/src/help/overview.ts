import { commands, groups, type Entry, type Group } from '../commands/table.ts'

/** The text of `engine --help`. */
export function overview(): string {
  const common = Object.entries(commands).filter(([, entry]) => entry.common === true)
  const others = Object.entries(commands).filter(([, entry]) => entry.common !== true)
  return [
    'Usage:  engine [OPTIONS] COMMAND',
    '',
    'A container engine that explains itself',
    '',
    section('Common Commands', common),
    section('Management Commands', Object.entries(groups)),
    section('Commands', others),
    section('Global Options', [
      ['-H, --host', { summary: 'Daemon socket to connect to (default unix:///run/engine.sock)' }],
      ['-v, --version', { summary: 'Print version information and quit' }],
    ]),
    section('Environment', [
      ['ENGINE_HOST', { summary: 'Daemon socket to connect to; DOCKER_HOST counts where it is not set' }],
    ]),
    section('Examples', [
      ['engine run -it --rm debian:base bash', { summary: 'a shell in a new container' }],
      ['engine build -t web .', { summary: 'an image from this directory' }],
      ['engine explain web', { summary: 'what the kernel was asked to do for a container' }],
    ]),
    "Run 'engine COMMAND --help' for more information on a command; 'engine help --man COMMAND' prints a page for man(1).",
    '',
  ].join('\n')
}

/** The text of `engine container --help`. */
export function groupHelp(name: string, group: Group): string {
  return [
    `Usage:  engine ${name} COMMAND`,
    '',
    group.summary,
    '',
    section('Commands', Object.entries(group.commands)),
    `Run 'engine ${name} COMMAND --help' for more information on a command.`,
    '',
  ].join('\n')
}

function section(heading: string, lines: readonly (readonly [string, Pick<Entry, 'summary'>])[]): string {
  const width = Math.max(...lines.map(([name]) => name.length), 8) + 3
  return `${heading}:\n${lines.map(([name, { summary }]) => `  ${name.padEnd(width)}${summary}\n`).join('')}`
}
