/** An event as the daemon tells it. */
export interface EventLine {
  readonly type: string
  readonly action: string
  readonly id: string
  readonly attributes: Readonly<Record<string, string>>
  readonly time: bigint
}

type Rule = readonly [pattern: RegExp, replacement: string]

const duration = String.raw`(?:Less than a second|About an? (?:minute|hour)|\d+ (?:seconds?|minutes?|hours?))`

/** What differs from one run to the next on one and the same daemon, or with the machine. The order counts. */
const rules: readonly Rule[] = [
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)/g, '<time>'],
  [/\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)? [+-]\d{4} [A-Z]{3,4}/g, '<time>'],
  [new RegExp(`${duration}( ago)?`, 'g'), '<while>'],
  // A remapped path of the overlay is as random as an id.
  [/\/\S*\/netns\/[0-9a-f]{12}\b/g, '<network-namespace>'],
  [/\b[0-9a-f]{64}(-init)?\b/g, '<id>'],
  [/\boverlay2\/l\/[A-Z0-9]{26}/g, 'overlay2/l/<link>'],
  [/\b[0-9a-f]{12}\b/g, '<id>'],
  [/\b(?:[0-9a-f]{2}:){5}[0-9a-f]{2}\b/g, '<mac>'],
  [/\b(?:172\.(?:1[6-9]|2\d|3[01])|10\.\d+|192\.168|198\.19)\.\d+\.\d+(?!\d)/g, '<ip>'],
  [/\b(3[2-9]|4\d|5\d|60)\d{3}(?=->|$|\/|\b(?=]))/g, '<port>'],
  [/\b\d+(\.\d+)?[kMG]?i?B\b/g, '<size>'],
  // Names that a daemon makes up.
  [/\bname=[a-z]+_[a-z]+\b/g, 'name=<made-up>'],
  [/\bendpoint [a-z]+_[a-z]+\b/g, 'endpoint <made-up>'],
  // The same files with other times have another digest.
  [/\bfile:[0-9a-f]{12,}/g, 'file:<digest>'],
  [/\bdocker-import-\d+/g, 'docker-import-<n>'],
  [/execDuration=\d+/g, 'execDuration=<n>'],
  [/\b1[6-9]\d{8}(\.\d+)?\b/g, '<seconds>'],
]

function looksLikeMounts(value: readonly unknown[]): boolean {
  return value.every((item) => typeof item === 'object' && item !== null && 'Destination' in item && 'RW' in item)
}

const zeroTime = '0001-01-01T00:00:00Z'

/** Keys of JSON whose numbers say nothing. */
const numbers = new Set(['Pid', 'Created', 'Size', 'SizeRw', 'SizeRootFs', 'VirtualSize', 'NFd', 'NGoroutines', 'MemTotal', 'NCPU', 'NEventsListener', 'execDuration', 'time', 'timeNano', 'SpaceReclaimed'])

/** Takes out of outputs and events what no two runs have in common. */
export class Normaliser {
  readonly #places: readonly (readonly [string, string])[]

  readonly #host: string

  /**
   * @param host the machine's name
   * @param places paths of the daemon and of the test, and what stands in for them
   */
  constructor(host: string, places: Readonly<Record<string, string>>) {
    this.#host = host
    this.#places = Object.entries(places)
  }

  /** An output: its lines, or its value when it is one JSON document. */
  output(text: string, line: string): unknown {
    const trimmed = text.trim()
    if (/^[[{]/.test(trimmed)) {
      try {
        return this.value(JSON.parse(trimmed), '')
      } catch {
        // Lines of JSON, or no JSON at all.
      }
    }
    return this.lines(text, line)
  }

  lines(text: string, line: string): string[] {
    const lines = text.split('\n').map((one) => this.text(one))
    if (lines.at(-1) === '') lines.pop()
    // Process and terminal numbers, start times, processor time.
    return / top /.test(line) ? lines.map((one) => one.replaceAll(/\d+(:\d+)*/g, '<n>')) : lines
  }

  text(text: string): string {
    let result = text.replace(/\s+$/, '')
    for (const [place, name] of this.#places) result = result.replaceAll(place, name)
    result = result.replaceAll(zeroTime, '<never>')
    if (result === ` Name: ${this.#host}`) result = ' Name: <host>'
    // Out of a map.
    if (result.startsWith(' Runtimes: ')) result = ` Runtimes: ${result.slice(11).split(' ').sort().join(' ')}`
    for (const [pattern, replacement] of rules) result = result.replaceAll(pattern, replacement)
    // Columns are as wide as what is in them.
    return result.replaceAll(/ {2,}/g, '  ')
  }

  value(value: unknown, key: string): unknown {
    if (key === 'com.docker.network.bridge.name') return '<bridge>'
    if (key === 'OSVersion') return '<version>'
    if (value === this.#host) return '<host>'
    if (typeof value === 'string') return this.text(value)
    if (typeof value === 'number') return numbers.has(key) && value !== 0 ? '<number>' : value
    if (Array.isArray(value)) {
      const items = value.map((item) => this.value(item, key))
      // Mounts come out of a map.
      return key === 'Mounts' || looksLikeMounts(value) ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : items
    }
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [this.text(name), this.value(item, name)]))
  }

  /** Events in the order in which they were told; where that is chance with Docker (it goes through a map, or two of its threads race), in one order. */
  events(lines: readonly EventLine[]): string[] {
    const texts = lines.map((line) => this.event(line))
    for (let changed = true; changed;) {
      changed = false
      for (const [index, text] of texts.entries()) {
        const next = texts[index + 1] ?? ''
        const race = text.startsWith('container stop ') && next.startsWith('container die ')
        const map = /^volume (?:un)?mount /.test(text) && text.split(' ')[1] === next.split(' ')[1] && next.startsWith('volume ') && next < text
        // It is told when the container goes on, and by then it may have been killed.
        const late = text.startsWith('container kill ') && text.endsWith(' signal=9') && next.startsWith('container unpause ')
        if (!race && !map && !late) continue
        texts.splice(index, 2, next, text)
        changed = true
      }
    }
    return texts
  }

  /** `container die name=web exitCode=0`. Volumes and networks have names for ids. */
  event({ type, action, id, attributes }: EventLine): string {
    const shown = Object.entries(attributes).filter(([name]) => name !== 'execDuration').sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, value]) => `${name}=${value}`)
    return this.text([type, action, id, ...shown].join(' '))
  }
}
