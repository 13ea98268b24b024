import type { Dockerfile, Node } from '../dockerfile/parse.ts'
import type { Finding, RuleName } from './finding.ts'

type Say = (rule: RuleName, line: number, text: string) => void

/** Rules that look at one instruction, or at all of them without regard to stages. */
export function checkLines(file: Dockerfile, source: string): Finding[] {
  const findings: Finding[] = []
  const say: Say = (rule, line, text) => void findings.push({ rule, line, text })
  checkCasing(file.nodes, say)
  const lines = source.split('\n')
  for (const node of file.nodes) {
    checkContinuation(node, lines, say)
    checkDescription(node, lines, say)
    const check = checks[node.keyword.toLowerCase()]
    check?.(node, say)
  }
  return findings
}

const checks: Readonly<Record<string, (node: Node, say: Say) => void>> = {
  from: checkFrom,
  cmd: recommendJson,
  entrypoint: recommendJson,
  env: (node, say) => {
    legacyPair(node, say)
    for (let at = 0; at < node.args.length; at += 3) secret(node, node.args[at] ?? '', say)
  },
  label: legacyPair,
  arg: (node, say) => {
    for (const word of node.args) secret(node, word.split('=', 1)[0] ?? '', say)
  },
  expose: checkExpose,
  maintainer: (node, say) => say('MaintainerDeprecated', node.startLine, 'Maintainer instruction is deprecated in favor of using label'),
}

/** One casing for all instructions: that of most. */
function checkCasing(nodes: readonly Node[], say: Say): void {
  const upper = nodes.filter(({ keyword }) => keyword === keyword.toUpperCase()).length
  const lower = nodes.filter(({ keyword }) => keyword === keyword.toLowerCase()).length
  const majority = lower > upper ? 'lowercase' : 'uppercase'
  for (const { keyword, startLine } of nodes) {
    const wanted = majority === 'uppercase' ? keyword.toUpperCase() : keyword.toLowerCase()
    if (keyword !== wanted) say('ConsistentInstructionCasing', startLine, `Command '${keyword}' should match the case of the command majority (${majority})`)
  }
}

function checkContinuation({ startLine, endLine, heredocs }: Node, lines: readonly string[], say: Say): void {
  if (heredocs.length > 0) return
  for (let line = startLine + 1; line <= endLine; line++) {
    if ((lines[line - 1] ?? '').trim() === '') return say('NoEmptyContinuation', line, 'Empty continuation line')
  }
}

/** A comment right above FROM or ARG should begin with the name that it describes. */
function checkDescription(node: Node, lines: readonly string[], say: Say): void {
  const comment = /^#\s*(\S+)?/.exec(lines[node.startLine - 2]?.trim() ?? '')
  if (comment === null || /^#\s*\w+\s*=/.test(lines[node.startLine - 2] ?? '')) return
  const keyword = node.keyword.toLowerCase()
  const name = keyword === 'arg' ? node.args[0]?.split('=', 1)[0] : keyword === 'from' && node.args[1]?.toLowerCase() === 'as' ? node.args[2] : undefined
  if (name === undefined || comment[1] === name) return
  const kind = keyword === 'arg' ? 'argument' : 'build stage'
  say('InvalidDefinitionDescription', node.startLine - 1, `Comment for ${kind} should follow the format: \`# ${name} <description>\`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.`)
}

function checkFrom(node: Node, say: Say): void {
  const [, as, name] = node.args
  if (as !== undefined) {
    const upper = node.keyword === node.keyword.toUpperCase()
    if (as !== (upper ? as.toUpperCase() : as.toLowerCase())) say('FromAsCasing', node.startLine, `'${as}' and '${node.keyword}' keywords' casing do not match`)
  }
  if (name !== undefined && name !== name.toLowerCase()) say('StageNameCasing', node.startLine, `Stage name '${name}' should be lowercase`)
  if (name !== undefined && ['context', 'scratch'].includes(name.toLowerCase())) say('ReservedStageName', node.startLine, `Stage name should not use the same name as reserved stage "${name.toLowerCase()}"`)
  const platform = node.flags.find((flag) => flag.startsWith('--platform='))?.slice('--platform='.length)
  if (platform === undefined) return
  if (platform === '$TARGETPLATFORM' || platform === '${TARGETPLATFORM}') {
    say('RedundantTargetPlatform', node.startLine, `Setting platform to predefined ${platform} in FROM is redundant as this is the default behavior`)
  } else if (!platform.includes('$')) {
    say('FromPlatformFlagConstDisallowed', node.startLine, `FROM --platform flag should not use constant value "${platform}"`)
  }
}

function recommendJson(node: Node, say: Say): void {
  if (node.json || node.args.length === 0) return
  say('JSONArgsRecommended', node.startLine, `JSON arguments recommended for ${node.keyword.toUpperCase()} to prevent unintended behavior related to OS signals`)
}

function legacyPair(node: Node, say: Say): void {
  if (node.args[2] !== '') return
  const name = node.keyword.toUpperCase()
  say('LegacyKeyValueFormat', node.startLine, `"${name} key=value" should be used instead of legacy "${name} key value" format`)
}

const secretWords = /(?:^|_)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)/i
const publicWords = /(?:^|_)public(?:_|$)/i

function secret(node: Node, name: string, say: Say): void {
  if (!secretWords.test(name) || publicWords.test(name)) return
  say('SecretsUsedInArgOrEnv', node.startLine, `Do not use ARG or ENV instructions for sensitive data (${node.keyword.toUpperCase()} "${name}")`)
}

function checkExpose(node: Node, say: Say): void {
  for (const port of node.args) {
    if (port.includes(':')) say('ExposeInvalidFormat', node.startLine, `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`)
    const protocol = port.split('/')[1]
    if (protocol !== undefined && protocol !== protocol.toLowerCase() && !protocol.includes('$')) {
      say('ExposeProtoCasing', node.startLine, `Defined protocol '${port}' in EXPOSE instruction should be lowercase`)
    }
  }
}
