/** A difference between answers and Docker's description of its API that is meant to be. */
export interface Excuse {
  /** Operations by their ids. */
  readonly operation: RegExp
  /** What the check says. */
  readonly text: RegExp
  /** Docker Engine 28.5 differs in the same way (asked for the same answers), or why engine alone does. */
  readonly reason: string
}

export const excuses: readonly Excuse[] = [
  { operation: /./, text: /^\.hint: not in the description$/, reason: 'engine: errors say what can be done, where something can' },
  { operation: /^SystemEvents$/, text: /^\.(status|id|from): not in the description$/, reason: 'Docker: fields from before 1.22, sent until 1.51' },
  { operation: /^ContainerInspect$/, text: /^\.HostConfig\.MemorySwappiness: null for a integer$/, reason: 'Docker: null where none was asked for' },
  { operation: /^SystemDataUsage$/, text: /^\.Budgets: not in the description$/, reason: 'engine: limits that only its configuration knows, when there are some' },
  { operation: /^Image(List|Inspect)$/, text: /\.ImageData\.UnpackedSize: missing$/, reason: 'Docker: named as required, and not described; the size is Size.Unpacked' },
  { operation: /^ContainerInspect$/, text: /^\.HostConfig\.KernelMemory: not in the description$/, reason: 'Docker: what a client before 1.42 asked for' },
  { operation: /^ExecInspect$/, text: /^\.ExitCode: null for a integer$/, reason: 'Docker: null until the process has ended' },
  { operation: /^ImageBuild$/, text: /^\.(vertex|vertexLog|warning): not in the description$/, reason: 'engine: records of steps, for who asks by progress=steps' },
  { operation: /^Image(Build|Push|Create|Load)$/, text: /^\.(id|aux): not in the description$/, reason: 'Docker: lines of progress name their layer, the last one the digest' },
  { operation: /^ImageTag$/, text: /^a status that is not in the description$/, reason: 'Docker: 200 without a name to give' },
]

/** The excuse that covers what was found; undefined when there is none. */
export function excused(operation: string, text: string): Excuse | undefined {
  return excuses.find((one) => one.operation.test(operation) && one.text.test(text))
}
