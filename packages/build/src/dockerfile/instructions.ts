import { EngineError } from '@engine/linux'
import { parseFlags, type FlagKinds, type Flags } from './flags.ts'
import { quote, trimSpace } from './go-text.ts'
import { parseHealthcheck } from './healthcheck.ts'
import { heredocContent, isHeredoc, parseHeredoc } from './heredoc.ts'
import type { ArgInstruction, CommandLine, CopyInstruction, InlineFile, Instruction, Pair, RunInstruction, Stage, Stages } from './instruction-types.ts'
import type { Dockerfile, Node } from './parse.ts'
import { parseRunMount } from './run-mount.ts'
import { didYouMean } from './suggest.ts'

/**
 * Understands a parsed Dockerfile: checks each instruction and groups them into stages.
 * @throws EngineError invalid-argument with BuildKit's texts, `dockerfile parse error on line 3: …`
 */
export function parseInstructions(file: Dockerfile): Stages {
  const globalArgs: ArgInstruction[] = []
  const stages: (Stage & { instructions: Instruction[] })[] = []
  for (const node of file.nodes) {
    const parsed = onLine(node, () => (node.keyword.toLowerCase() === 'from' ? parseFrom(node) : parseInstruction(node)))
    const stage = stages.at(-1)
    if ('base' in parsed) stages.push({ ...parsed, instructions: [] })
    else if (stage !== undefined) stage.instructions.push(parsed)
    else if (parsed.kind === 'arg') globalArgs.push(parsed)
    else throw failure('no build stage in current context')
  }
  return { globalArgs, stages, escape: file.escape, warnings: file.warnings }
}

/** Understands one instruction, any but FROM. @throws EngineError invalid-argument */
export function parseInstruction(node: Node): Instruction {
  const keyword = node.keyword.toLowerCase()
  const parse = Object.hasOwn(parsers, keyword) ? parsers[keyword] : undefined
  if (parse !== undefined) return parse(node, { code: trimSpace(node.original), line: node.startLine })
  throw failure(`unknown instruction: ${node.keyword}${didYouMean(node.keyword, names, false)}`)
}

function onLine<T>(node: Node, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof EngineError) throw failure(`dockerfile parse error on line ${node.startLine}: ${error.message}`)
    throw error
  }
}

interface Written {
  readonly code: string
  readonly line: number
}

const parsers: Readonly<Record<string, (node: Node, written: Written) => Instruction>> = {
  add: parseCopy,
  arg: parseArg,
  cmd: (node, written) => ({ ...written, kind: 'cmd', command: parseCommand(node) }),
  copy: parseCopy,
  entrypoint: (node, written) => ({ ...written, kind: 'entrypoint', command: parseCommand(node) }),
  env: (node, written) => ({ ...written, kind: 'env', pairs: parsePairs(node) }),
  expose: (node, written) => ({ ...written, kind: 'expose', ports: atLeastOne(node).toSorted() }),
  healthcheck: (node, written) => ({ ...written, kind: 'healthcheck', health: parseHealthcheck(node) }),
  label: (node, written) => ({ ...written, kind: 'label', pairs: parsePairs(node), expand: true }),
  maintainer: (node, written) => ({ ...written, kind: 'maintainer', name: exactlyOne(node) }),
  onbuild: parseOnbuild,
  run: parseRun,
  shell: parseShell,
  stopsignal: (node, written) => ({ ...written, kind: 'stopsignal', signal: exactlyOne(node) }),
  user: (node, written) => ({ ...written, kind: 'user', user: exactlyOne(node) }),
  volume: (node, written) => ({ ...written, kind: 'volume', volumes: atLeastOne(node).map(volume) }),
  workdir: (node, written) => ({ ...written, kind: 'workdir', path: exactlyOne(node) }),
}

const names = ['FROM', ...Object.keys(parsers).map((name) => name.toUpperCase())].toSorted()

function parseFrom(node: Node): Omit<Stage, 'instructions'> {
  const [base, as, alias] = node.args
  let name = ''
  if (node.args.length === 3 && as?.toLowerCase() === 'as') {
    name = (alias as string).toLowerCase()
    if (!/^[a-z][a-z0-9-_.]*$/.test(name)) {
      throw failure(`invalid name for build stage: ${quote(alias as string)}, name can't start with a number or contain symbols`)
    }
  } else if (node.args.length !== 1) {
    throw failure('FROM requires either one or three arguments')
  }
  const flags = parseFlags(node.flags, { platform: 'text' })
  return { name, base: base as string, platform: one(flags, 'platform'), code: trimSpace(node.original), line: node.startLine }
}

const copyFlags: FlagKinds = { chown: 'text', from: 'text', chmod: 'text', link: 'boolean', parents: 'boolean', exclude: 'list' }
const addFlags: FlagKinds = {
  chown: 'text', chmod: 'text', link: 'boolean', 'keep-git-dir': 'boolean', checksum: 'text', unpack: 'boolean', exclude: 'list',
}

function parseCopy(node: Node, written: Written): CopyInstruction {
  const kind = node.keyword.toLowerCase() === 'copy' ? 'copy' : 'add'
  const destination = node.args.at(-1)
  if (node.args.length < 2 || destination === undefined) {
    throw failure(`${kind.toUpperCase()} requires at least two arguments, but only one was provided. Destination could not be determined`)
  }
  const flags = parseFlags(node.flags, kind === 'copy' ? copyFlags : addFlags)
  if (isHeredoc(destination)) throw failure(`${kind.toUpperCase()} cannot accept a heredoc as a destination`)
  const sources: string[] = []
  const files: InlineFile[] = []
  for (const source of node.args.slice(0, -1)) {
    const announced = node.heredocs.length > 0 ? parseHeredoc(source) : undefined
    const heredoc = node.heredocs.find((candidate) => candidate.name === announced?.name)
    if (heredoc === undefined) sources.push(source)
    else files.push({ path: heredoc.name, data: heredocContent(heredoc), expand: heredoc.expand })
  }
  return {
    ...written, kind, sources, files, destination,
    from: one(flags, 'from'), chown: one(flags, 'chown'), chmod: one(flags, 'chmod'), checksum: one(flags, 'checksum'),
    unpack: flags.has('unpack') ? one(flags, 'unpack') === 'true' : undefined,
    keepGitDir: one(flags, 'keep-git-dir') === 'true', link: one(flags, 'link') === 'true', parents: one(flags, 'parents') === 'true',
    exclude: flags.get('exclude') ?? [],
  }
}

function parseRun(node: Node, written: Written): RunInstruction {
  const flags = parseFlags(node.flags, { mount: 'list', network: 'text', security: 'text', device: 'list' })
  const network = one(flags, 'network')
  if (!['', 'default', 'none', 'host'].includes(network)) throw failure(`invalid network mode ${quote(network)}`)
  const security = one(flags, 'security')
  if (!['', 'sandbox', 'insecure'].includes(security)) throw failure(`security ${quote(security)} is not valid`)
  if (flags.has('device')) throw failure('RUN --device is not supported: this engine knows no CDI devices')
  const mounts = flags.get('mount') ?? []
  // Mistakes are told with their line; values of variables come later.
  for (const mount of mounts) parseRunMount(mount)
  return { ...written, kind: 'run', command: commandLine(node), mounts, network, security }
}

function parseArg(node: Node, written: Written): Instruction {
  const args = atLeastOne(node).map((word) => {
    const equals = word.indexOf('=')
    if (equals === 0) throw failure('ARG names can not be blank')
    return equals < 0 ? { key: word, value: undefined } : { key: word.slice(0, equals), value: word.slice(equals + 1) }
  })
  return { ...written, kind: 'arg', args }
}

function parseOnbuild(node: Node, written: Written): Instruction {
  const trigger = trimSpace(atLeastOne(node)[0] as string).toUpperCase()
  if (trigger === 'ONBUILD') throw failure("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed")
  if (trigger === 'MAINTAINER' || trigger === 'FROM') throw failure(`${trigger} isn't allowed as an ONBUILD trigger`)
  const heredocs = node.heredocs.map((heredoc) => `\n${heredoc.content}${heredoc.name}`).join('')
  return { ...written, kind: 'onbuild', expression: node.original.replace(/^\s*ONBUILD\s*/i, '') + heredocs }
}

function parseShell(node: Node, written: Written): Instruction {
  parseFlags(node.flags, {})
  if (node.args.length === 0) throw failure('SHELL requires at least one argument')
  if (!node.json) throw failure('SHELL requires the arguments to be in JSON form')
  return { ...written, kind: 'shell', shell: node.args }
}

function parsePairs(node: Node): Pair[] {
  const { args } = node
  parseFlags(node.flags, {})
  if (args.length === 0) throw failure(`${node.keyword.toUpperCase()} requires at least one argument`)
  const pairs: Pair[] = []
  for (let at = 0; at < args.length; at += 3) {
    const key = args[at] as string
    if (key === '') throw failure(`${node.keyword.toUpperCase()} names can not be blank`)
    pairs.push({ key, value: args[at + 1] as string })
  }
  return pairs
}

function parseCommand(node: Node): CommandLine {
  parseFlags(node.flags, {})
  return commandLine(node)
}

function commandLine(node: Node): CommandLine {
  const args = node.json || node.args.length === 0 ? node.args : [node.args.join(' ')]
  return { args, shell: !node.json, heredocs: node.heredocs }
}

function volume(path: string): string {
  const trimmed = trimSpace(path)
  if (trimmed === '') throw failure('VOLUME specified can not be an empty string')
  return trimmed
}

function exactlyOne(node: Node): string {
  const [only] = node.args
  if (node.args.length !== 1 || only === undefined) throw failure(`${node.keyword.toUpperCase()} requires exactly one argument`)
  parseFlags(node.flags, {})
  return only
}

function atLeastOne(node: Node): readonly string[] {
  if (node.args.length === 0) throw failure(`${node.keyword.toUpperCase()} requires at least one argument`)
  parseFlags(node.flags, {})
  return node.args
}

function one(flags: Flags, name: string): string {
  return flags.get(name)?.[0] ?? ''
}

function failure(message: string): EngineError {
  return new EngineError('invalid-argument', message)
}
