import type { Dockerfile, Node } from '../dockerfile/parse.ts'
import type { Say } from './finding.ts'

/** Rules that look at one instruction, or at all of them without regard to stages. */
export function checkLines(file: Dockerfile, say: Say): void {
  const first = file.nodes.findIndex(({ keyword }) => keyword.toLowerCase() === 'from')
  const nodes = file.nodes.slice(Math.max(0, first))
  checkCasing(nodes, say)
  for (const line of file.emptyContinuations) say('NoEmptyContinuation', line, 'Empty continuation line')
  for (const node of file.nodes) checkDescription(node, say)
  for (const node of nodes) checkNode(node, node.startLine, say)
}

/** Rules that look at one instruction of a stage. @param line where it is told of: for what ONBUILD brings, that of FROM */
export function checkNode(node: Node, line: number, say: Say): void {
  checks[node.keyword.toLowerCase()]?.(node, line, say)
}

const checks: Readonly<Record<string, (node: Node, line: number, say: Say) => void>> = {
  from: checkFrom,
  env: (node, line, say) => {
    legacyPair(node, line, say)
    for (let at = 0; at < node.args.length; at += 3) secret('ENV', node.args[at] ?? '', line, say)
  },
  label: legacyPair,
  arg: (node, line, say) => {
    for (const word of node.args) secret('ARG', word.split('=', 1)[0] ?? '', line, say)
  },
  maintainer: (_node, line, say) => say('MaintainerDeprecated', line, 'Maintainer instruction is deprecated in favor of using label'),
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

/** The comment before FROM or ARG should begin with the name that it describes. */
function checkDescription({ keyword, args, comment, startLine }: Node, say: Say): void {
  const kind = keyword.toUpperCase()
  const names = kind === 'ARG' ? args.map((word) => word.split('=', 1)[0] ?? '') : kind === 'FROM' && args[1]?.toLowerCase() === 'as' ? [(args[2] ?? '').toLowerCase()] : []
  if (comment === undefined || names.length === 0 || names.includes(comment.split(' ', 1)[0] ?? '')) return
  say('InvalidDefinitionDescription', startLine, `Comment for ${kind} should follow the format: \`# ${names.length > 1 ? '<arg_key>' : names[0]} <description>\``)
}

function checkFrom(node: Node, line: number, say: Say): void {
  const [, as, name] = node.args
  if (as !== undefined) {
    const upper = node.keyword === node.keyword.toUpperCase()
    if (as !== (upper ? as.toUpperCase() : as.toLowerCase())) say('FromAsCasing', line, `'${as}' and '${node.keyword}' keywords' casing do not match`)
  }
  if (name !== undefined && name !== name.toLowerCase()) say('StageNameCasing', line, `Stage name '${name}' should be lowercase`)
  if (name !== undefined && ['context', 'scratch'].includes(name.toLowerCase())) say('ReservedStageName', line, `Stage name should not use the same name as reserved stage "${name.toLowerCase()}"`)
}

function legacyPair({ keyword, args }: Node, line: number, say: Say): void {
  if (args[2] === '') say('LegacyKeyValueFormat', line, `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`)
}

const secretWords = /(?:^|_)(?:apikey|auth|credential|credentials|key|password|pword|passwd|secret|token)(?:_|$)/i
const publicWords = /(?:^|_)public(?:_|$)/i

function secret(kind: 'ARG' | 'ENV', name: string, line: number, say: Say): void {
  if (!secretWords.test(name) || publicWords.test(name)) return
  say('SecretsUsedInArgOrEnv', line, `Do not use ARG or ENV instructions for sensitive data (${kind} "${name}")`)
}
