import { contains, parseCidr } from '../cidr.ts'

/** A packet as rules see it; what is undefined is not known. */
export interface Packet {
  /** Links by name; '' where there is none. */
  readonly iifname?: string | undefined
  readonly oifname?: string | undefined
  readonly saddr?: string | undefined
  readonly daddr?: string | undefined
  readonly protocol: string
  readonly dport: number
  /** It was led to another address. */
  readonly translated: boolean
}

export type Hook = 'prerouting' | 'input' | 'forward' | 'output'

/** Where a packet ended. */
export interface Verdict {
  readonly family: string
  readonly table: string
  readonly chain: string
  /** The rule's; undefined where it was the chain's policy. */
  readonly handle: number | undefined
}

type Json = Readonly<Record<string, unknown>>
type Truth = boolean | undefined
type Outcome = { readonly kind: 'accept' | 'continue' | 'return' | 'perhaps return' } | { readonly kind: 'drop'; readonly chain: string; readonly handle: number | undefined }

interface Ruleset {
  readonly chains: readonly Json[]
  readonly rules: readonly Json[]
  readonly sets: readonly Json[]
}

const goOn: Outcome = { kind: 'continue' }
const deepest = 16

/**
 * Which rule would drop a new connection's first packet at a hook; undefined when none would. What cannot be told (a rate limit, matches
 * of iptables that nft does not know) counts as not matching, so that what drops by such a rule is not found; nor is what drops behind a
 * rule that perhaps leaves the chain (ufw: `-m addrtype --dst-type LOCAL -j RETURN`, then `-j DROP`).
 * @param listing JSON of `list ruleset` or `list table` (libnftables-json(5))
 * @param families of the tables that see the packet: `ip`, `inet` for routed ones, `bridge` for frames
 */
export function findDrop(listing: unknown, families: readonly string[], hook: Hook, packet: Packet): Verdict | undefined {
  const ruleset: Ruleset = { chains: objects(listing, 'chain'), rules: objects(listing, 'rule'), sets: [...objects(listing, 'set'), ...objects(listing, 'map')] }
  const bases = ruleset.chains.filter((chain) => chain['hook'] === hook && chain['type'] === 'filter' && families.includes(String(chain['family'])))
  for (const base of bases.toSorted((a, b) => Number(a['prio']) - Number(b['prio']))) {
    const place = { family: String(base['family']), table: String(base['table']) }
    const name = String(base['name'])
    const outcome = walk(ruleset, place, name, packet, 0)
    if (outcome.kind === 'drop') return { ...place, chain: outcome.chain, handle: outcome.handle }
    if (outcome.kind !== 'accept' && base['policy'] === 'drop') return { ...place, chain: name, handle: undefined }
  }
  return undefined
}

function walk(ruleset: Ruleset, place: Pick<Verdict, 'family' | 'table'>, chain: string, packet: Packet, depth: number): Outcome {
  if (depth > deepest) return goOn
  let perhapsLeft = false
  for (const rule of ruleset.rules) {
    if (rule['family'] !== place.family || rule['table'] !== place.table || rule['chain'] !== chain) continue
    const outcome = follow(ruleset, place, rule, packet, depth)
    if (outcome.kind === 'perhaps return') perhapsLeft = true
    else if (outcome.kind === 'drop' && perhapsLeft) return goOn
    else if (outcome.kind !== 'continue') return outcome
  }
  return goOn
}

function follow(ruleset: Ruleset, place: Pick<Verdict, 'family' | 'table'>, rule: Json, packet: Packet, depth: number): Outcome {
  const sets = ruleset.sets.filter((set) => set['family'] === place.family && set['table'] === place.table)
  const statements = Array.isArray(rule['expr']) ? rule['expr'].filter(isObject) : []
  for (const statement of statements) {
    if ('match' in statement) {
      const truth = isObject(statement['match']) ? matches(statement['match'], packet, sets) : undefined
      if (truth === true) continue
      return truth === undefined ? untold(statements) : goOn
    }
    // Statements that may or may not let the packet on to the rest of the rule.
    if ('xt' in statement || 'limit' in statement || 'quota' in statement) return untold(statements)
    const verdict = 'vmap' in statement ? mapped(statement['vmap'], packet, sets) : statement
    if (verdict === undefined) continue
    const outcome = apply(ruleset, place, rule, verdict, packet, depth)
    if (outcome !== undefined) return outcome
  }
  return goOn
}

/** What a rule does of which cannot be told whether it is for the packet. */
function untold(statements: readonly Json[]): Outcome {
  return statements.some((statement) => 'return' in statement) ? { kind: 'perhaps return' } : goOn
}

function apply(ruleset: Ruleset, place: Pick<Verdict, 'family' | 'table'>, rule: Json, verdict: Json, packet: Packet, depth: number): Outcome | undefined {
  if ('accept' in verdict) return { kind: 'accept' }
  if ('drop' in verdict || 'reject' in verdict) return { kind: 'drop', chain: String(rule['chain']), handle: Number(rule['handle']) }
  if ('return' in verdict) return { kind: 'return' }
  const [target, leaves] = 'goto' in verdict ? [verdict['goto'], true] : 'jump' in verdict ? [verdict['jump'], false] : [undefined, false]
  if (!isObject(target)) return undefined
  const outcome = walk(ruleset, place, String(target['target']), packet, depth + 1)
  if (outcome.kind === 'accept' || outcome.kind === 'drop') return outcome
  return leaves ? { kind: 'return' } : undefined
}

function matches(match: Json, packet: Packet, sets: readonly Json[]): Truth {
  const { op, left, right } = match
  const found = isIn(valueOf(left, packet), right, sets)
  if (found === undefined) return undefined
  if (op === '==' || op === 'in') return found
  return op === '!=' ? !found : undefined
}

/** The verdict that a map has for a packet. */
function mapped(vmap: unknown, packet: Packet, sets: readonly Json[]): Json | undefined {
  if (!isObject(vmap)) return undefined
  const value = valueOf(vmap['key'], packet)
  const entry = membersOf(vmap['data'], sets)?.find((member) => Array.isArray(member) && isIn(value, member[0], sets) === true)
  const verdict: unknown = Array.isArray(entry) ? entry[1] : undefined
  return isObject(verdict) ? verdict : undefined
}

/** What an expression is for this packet: one value, several (flags), parts of a concatenation; undefined when it is not known. */
function valueOf(expression: unknown, packet: Packet): readonly unknown[] | undefined {
  if (!isObject(expression)) return undefined
  const { meta, payload, ct, concat } = expression
  if (Array.isArray(concat)) {
    const parts = concat.map((part) => valueOf(part, packet)?.[0])
    return parts.includes(undefined) ? undefined : [{ concat: parts }]
  }
  const known = (value: unknown): readonly unknown[] | undefined => (value === undefined ? undefined : [value])
  if (isObject(meta)) {
    if (meta['key'] === 'iifname' || meta['key'] === 'oifname') return known(packet[meta['key']])
    if (meta['key'] === 'l4proto') return [packet.protocol]
    if (meta['key'] === 'nfproto') return known(packet.daddr === undefined ? undefined : packet.daddr.includes(':') ? 'ipv6' : 'ipv4')
  }
  if (isObject(payload)) {
    const { protocol, field } = payload
    const family = packet.daddr?.includes(':') === true ? 'ip6' : 'ip'
    if (protocol === 'ip' || protocol === 'ip6') {
      if (protocol !== family) return []
      if (field === 'saddr' || field === 'daddr') return known(packet[field])
      if (field === 'protocol' || field === 'nexthdr') return [packet.protocol]
    }
    if (field === 'dport') return protocol === 'th' || protocol === packet.protocol ? [packet.dport] : []
  }
  if (isObject(ct)) {
    if (ct['key'] === 'state') return ['new']
    if (ct['key'] === 'status') return packet.translated ? ['dnat'] : []
  }
  return undefined
}

/** Whether one of the values is what a match compares with: a value, a prefix, a range, a set. */
function isIn(values: readonly unknown[] | undefined, right: unknown, sets: readonly Json[]): Truth {
  if (values === undefined) return undefined
  const members = membersOf(right, sets)
  if (members === undefined) return undefined
  return values.some((value) => members.some((member) => equals(value, Array.isArray(member) ? member[0] : member)))
}

function membersOf(right: unknown, sets: readonly Json[]): readonly unknown[] | undefined {
  if (typeof right === 'string' && right.startsWith('@')) {
    const set = sets.find((one) => one['name'] === right.slice(1))
    return set === undefined ? undefined : Array.isArray(set['elem']) ? set['elem'] : []
  }
  if (isObject(right) && Array.isArray(right['set'])) return right['set']
  return Array.isArray(right) ? right : [right]
}

function equals(value: unknown, member: unknown): boolean {
  if (isObject(member)) {
    const { prefix, range, concat, elem } = member
    if (isObject(elem)) return equals(value, elem['val'])
    if (isObject(prefix)) return typeof value === 'string' && contains(parseCidr(`${String(prefix['addr'])}/${String(prefix['len'])}`), value)
    if (Array.isArray(range)) return inRange(value, range)
    if (Array.isArray(concat)) return isObject(value) && Array.isArray(value['concat']) && value['concat'].every((part, i) => equals(part, concat[i]))
    return false
  }
  // A link's name may end in a star.
  if (typeof value === 'string' && typeof member === 'string' && member.endsWith('*')) return value.startsWith(member.slice(0, -1))
  return String(value) === String(member)
}

function inRange(value: unknown, [first, last]: readonly unknown[]): boolean {
  if (typeof value === 'number') return value >= Number(first) && value <= Number(last)
  if (typeof value !== 'string' || typeof first !== 'string' || typeof last !== 'string' || value.includes(':') !== first.includes(':')) return false
  const number = (address: string): string => address.split('.').map((part) => part.padStart(3, '0')).join('.')
  return value.includes(':') ? value >= first && value <= last : number(value) >= number(first) && number(value) <= number(last)
}

function objects(listing: unknown, kind: string): Json[] {
  const entries = isObject(listing) ? listing['nftables'] : undefined
  if (!Array.isArray(entries)) return []
  return entries.flatMap((entry: unknown) => (isObject(entry) && isObject(entry[kind]) ? [entry[kind]] : []))
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
