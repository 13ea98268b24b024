import { EngineError } from '@engine/linux'
import { expandWord, type Variables } from './dockerfile/expand.ts'
import type { Instruction, Stage, Stages } from './dockerfile/instruction-types.ts'
import { parseRunMount } from './dockerfile/run-mount.ts'

/** A stage and what it is made from. */
export interface StageNode {
  readonly index: number
  readonly stage: Stage
  /** The name in FROM, expanded. */
  readonly base: string
  /** The stage that it is the name of; undefined when it names an image. */
  readonly baseStage: number | undefined
}

/** The stages of a Dockerfile, and which refer to which. */
export class StageGraph {
  readonly nodes: readonly StageNode[]
  readonly #escape: string
  readonly #named: ReadonlyMap<string, unknown>

  /**
   * @param globals build arguments that count in FROM lines
   * @param named names that mean something of the client's, and no stage
   * @throws EngineError invalid-argument when a base is blank
   */
  constructor(file: Stages, globals: Variables, named: ReadonlyMap<string, unknown> = new Map()) {
    this.#named = named
    this.#escape = file.escape
    const byName = new Map<string, number>()
    this.nodes = file.stages.map((stage, index) => {
      const base = expandWord(stage.base, globals, { escape: this.#escape })
      if (base === '') throw new EngineError('invalid-argument', `base name (${stage.base}) should not be blank`)
      const node = { index, stage, base, baseStage: named.has(base) ? undefined : byName.get(base.toLowerCase()) }
      // Of two stages with one name the later counts for what follows, as with BuildKit.
      if (stage.name !== '') byName.set(stage.name, index)
      return node
    })
  }

  /** The stage to build: by name, or the last. @throws EngineError invalid-argument */
  target(name: string): StageNode {
    const node = name === '' ? this.nodes.at(-1) : this.nodes.findLast(({ stage }) => stage.name !== '' && stage.name === name.toLowerCase())
    if (node !== undefined) return node
    throw new EngineError('invalid-argument', name === '' ? 'file with no instructions' : `target stage "${name}" could not be found`)
  }

  /**
   * The stage that `--from` names, seen from stage `index`: by name, or by number. Undefined means an image.
   * @throws EngineError invalid-argument for a number that is no earlier stage's
   */
  find(from: string, index: number): StageNode | undefined {
    if (this.#named.has(from)) return undefined
    const named = this.nodes.slice(0, index).findLast(({ stage }) => stage.name !== '' && stage.name === from.toLowerCase())
    if (named !== undefined || !/^[+-]?\d+$/.test(from)) return named
    const number = Number(from)
    if (number === index) throw new EngineError('invalid-argument', 'refers to current build stage')
    if (number < 0 || number > index) throw new EngineError('invalid-argument', 'index out of bounds')
    return this.nodes[number]
  }

  /** The stages that must be built for `target`, itself included, in the Dockerfile's order; others are skipped. */
  needed(target: StageNode): StageNode[] {
    const needed = new Set<StageNode>()
    const add = (node: StageNode): void => {
      if (needed.has(node)) return
      needed.add(node)
      for (const other of this.#references(node)) add(other)
    }
    add(target)
    return this.nodes.filter((node) => needed.has(node))
  }

  #references(node: StageNode): StageNode[] {
    const references = node.baseStage === undefined ? [] : [this.nodes[node.baseStage] as StageNode]
    for (const from of node.stage.instructions.flatMap(namesIn)) {
      try {
        references.push(...[this.find(from, node.index)].filter((found) => found !== undefined))
      } catch {
        // A bad number is reported when its step is reached, with the step's own text.
      }
    }
    return references
  }
}

/** The stages or images that an instruction takes files of. */
function namesIn(instruction: Instruction): string[] {
  if (instruction.kind === 'copy') return instruction.from === '' ? [] : [instruction.from]
  return instruction.kind === 'run' ? instruction.mounts.map((mount) => parseRunMount(mount).from).filter((from) => from !== '') : []
}
