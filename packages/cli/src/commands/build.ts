import { writeFileSync } from 'node:fs'
import { Readable, Transform } from 'node:stream'
import type { BuildProgressLine } from '@engine/api/client'
import { readExtraHost } from '../arguments/addresses.ts'
import { list, onOff, text, value } from '../arguments/flag.ts'
import { readTag } from '../arguments/image-reference.ts'
import { readLabel, readVariable, toMap, toMapWithNull } from '../arguments/key-values.ts'
import { readBytes, readBytesOrUnlimited, readInteger } from '../arguments/sizes.ts'
import { openContext, type BuildContext } from '../build-context/context.ts'
import { readBuildContext, sendInputs } from '../build-context/inputs.ts'
import { listContext } from '../build-context/list.ts'
import { readOutput, writeOutput } from '../build-context/output.ts'
import { ApiError, type Client } from '../connection/client.ts'
import { mergeUlimits, readUlimit } from '../container-options/limits.ts'
import { showSteps } from '../output/build-progress.ts'
import { humanSize } from '../output/human.ts'
import { ProgressError, showProgress, type ProgressMessage } from '../output/progress.ts'
import { CommandError, defineCommand } from './command.ts'
import { allRegistriesHeader } from '../registries/credentials.ts'
import { isTerminal, print, standardError, standardOutput } from '../terminal/output.ts'

const limits = { group: 'Limits of the steps' }
const steps = { group: 'Steps' }
const result = { group: 'Result' }
const report = { group: 'Report' }

export const command = defineCommand({
  usage: '[OPTIONS] PATH | URL | -',
  summary: 'Build an image from a Dockerfile',
  examples: [
    ['engine build -t web .', 'from the Dockerfile of this directory'],
    ['engine build -f deploy/Dockerfile --build-arg VERSION=3 -t web:3 .', 'from another one, with an argument'],
    ['engine build - < Dockerfile', 'without a context'],
  ],
  flags: {
    file: text('Name of the Dockerfile (default is "PATH/Dockerfile")', { short: 'f' }),
    tag: list('Name and optionally a tag in the "name:tag" format', { ...result, short: 't', read: readTag }),
    label: list('Set metadata for an image', { ...result, read: readLabel }),
    iidfile: text('Write the image ID to the file', result),
    quiet: onOff('Suppress the build output and print image ID on success', { ...result, short: 'q' }),
    platform: text('Set platform if server is multi-platform capable', result),
    'build-arg': list('Set build-time variables', { ...steps, read: readVariable }),
    target: text('Set the target build stage to build', steps),
    'no-cache': onOff('Do not use cache when building the image', steps),
    'cache-from': list('Images to consider as cache sources', steps),
    'cache-to': list('Cache export destinations (e.g., "type=inline", "type=registry,ref=user/app:cache,mode=max")', { ...steps, word: 'string' }),
    pull: onOff('Always attempt to pull a newer version of the image', steps),
    rm: onOff('Remove intermediate containers after a successful build (default true)', { ...steps, initial: true }),
    'force-rm': onOff('Always remove intermediate containers', steps),
    compress: onOff('Compress the build context using gzip', steps),
    network: text('Set the networking mode for the RUN instructions during build', steps),
    'add-host': list('Add a custom host-to-IP mapping ("host:ip")', { ...steps, read: readExtraHost }),
    memory: value(readBytes, 'Memory limit', { ...limits, short: 'm', word: 'bytes' }),
    'memory-swap': value(readBytesOrUnlimited, 'Memory plus swap limit; -1 for unlimited swap', { ...limits, word: 'bytes' }),
    'cpu-shares': value(readInteger, 'CPU shares (relative weight)', { ...limits, short: 'c', word: 'int' }),
    'cpu-period': value(readInteger, 'Limit the CPU CFS (Completely Fair Scheduler) period', { ...limits, word: 'int' }),
    'cpu-quota': value(readInteger, 'Limit the CPU CFS (Completely Fair Scheduler) quota', { ...limits, word: 'int' }),
    'cpuset-cpus': text('CPUs in which to allow execution (0-3, 0,1)', limits),
    'cpuset-mems': text('MEMs in which to allow execution (0-3, 0,1)', limits),
    'cgroup-parent': text('Set the parent cgroup for the RUN instructions during build', limits),
    'shm-size': value(readBytes, 'Size of "/dev/shm"', { ...limits, word: 'bytes' }),
    ulimit: list('Ulimit options', { ...limits, word: 'ulimit', read: readUlimit }),
    'security-opt': list('Security options', limits),
    squash: onOff('Squash newly built layers into a single new layer', result),
    output: list('Output destination (format: "type=local,dest=path")', { ...result, short: 'o' }),
    secret: list('Secret to expose to the build (format: "id=mysecret[,src=/local/secret]")', { ...steps, word: 'string' }),
    ssh: list('SSH agent socket or keys to expose to the build (format: "default|<id>[=<socket>|<key>[,<key>]]")', { ...steps, word: 'string' }),
    'build-context': list('Additional build contexts (e.g., name=path)', { ...steps, word: 'string' }),
    allow: list('Allow extra privileged entitlement (e.g., "network.host", "security.insecure")', { ...steps, word: 'string' }),
    progress: text('Set type of progress output ("auto", "plain", "tty", "classic", "rawjson")', report),
    why: onOff('Say of each step that runs why it was not in the cache', report),
    'expect-cached': onOff('Fail at the first step that is not in the cache', report),
    'context-ls': onOff('List what would be sent, and which rule leaves other paths out', report),
    check: onOff('Check the Dockerfile, build nothing', report),
    reproducible: onOff('Make the same image of the same files: no times later than the sources (SOURCE_DATE_EPOCH, or 0)', result),
    verify: onOff('Build twice, and say which file differs first', result),
    isolation: text('Container isolation technology', { hidden: true }),
    'disable-content-trust': onOff('Skip image verification', { hidden: true, initial: true }),
  },
  args: [1, 1],
  async run({ flags, args: [path = ''] }, { client }) {
    if (flags['context-ls']) {
      print(listContext(path, flags.file))
      return 0
    }
    const progress = flags.quiet || flags.check ? 'classic' : progressKind(flags.progress)
    const outputs = flags.output.map(readOutput)
    using extra = await sendInputs(client, { secrets: flags.secret, agents: flags.ssh, contexts: Object.fromEntries(flags['build-context'].map(readBuildContext)) })
    const context = await withoutKnown(client, await openContext(path, flags.file, process.stdin))
    const on = (flag: boolean): 1 | undefined => (flag ? 1 : undefined)
    const json = <T extends object>(from: T): T | undefined => (Object.keys(from).length === 0 ? undefined : from)
    const sent = flags.quiet || progress !== 'classic' || flags.check ? undefined : new SentReport()
    const answer = await client.stream('POST', '/build', {
      headers: await allRegistriesHeader(),
      query: {
        remote: context.remote,
        dockerfile: context.dockerfile.split('\\').join('/'),
        t: flags.tag,
        buildargs: json(toMapWithNull(flags['build-arg'])),
        labels: json(toMap(flags.label)),
        target: flags.target,
        nocache: on(flags['no-cache']),
        cachefrom: flags['cache-from'].length === 0 ? undefined : JSON.stringify(flags['cache-from']),
        cacheto: flags['cache-to'].length === 0 ? undefined : flags['cache-to'],
        pull: on(flags.pull),
        q: on(flags.quiet),
        rm: flags.rm ? 1 : 0,
        squash: on(flags.squash),
        inputs: extra.inputs,
        context: context.kept,
        contexts: json(extra.contexts),
        allow: flags.allow.length === 0 ? undefined : flags.allow,
        progress: progress === 'classic' ? undefined : 'steps',
        why: on(flags.why),
        expectcached: on(flags['expect-cached']),
        check: on(flags.check),
        epoch: process.env['SOURCE_DATE_EPOCH'] || (flags.reproducible ? '0' : undefined),
        verify: on(flags.verify),
        forcerm: on(flags['force-rm'] || progress !== 'classic'),
        networkmode: flags.network,
        extrahosts: flags['add-host'],
        platform: flags.platform,
        memory: flags.memory,
        memswap: flags['memory-swap'],
        cpushares: flags['cpu-shares'],
        cpuperiod: flags['cpu-period'],
        cpuquota: flags['cpu-quota'],
        cpusetcpus: flags['cpuset-cpus'],
        cpusetmems: flags['cpuset-mems'],
        cgroupparent: flags['cgroup-parent'],
        shmsize: flags['shm-size'],
        ulimits: flags.ulimit.length === 0 ? undefined : JSON.stringify(mergeUlimits(flags.ulimit)),
        securityopt: flags['security-opt'],
        version: '1',
      },
      body: context.archive === undefined ? undefined : outgoing(context.archive, flags.compress, sent),
    })
    let id = ''
    const onAux = (aux: unknown): void => {
      if (typeof aux === 'object' && aux !== null && 'ID' in aux && typeof aux.ID === 'string') id = aux.ID
    }
    try {
      if (progress === 'rawjson') for await (const line of answer.lines<BuildProgressLine>()) rawLine(line, onAux)
      else if (flags.quiet && !flags.check) {
        const told = await quietly(answer.lines<ProgressMessage>())
        id = told.trim()
        print(told)
      } else if (progress === 'classic') await showProgress(answer.lines<ProgressMessage>(), standardOutput(), onAux)
      else await showSteps(answer.lines<BuildProgressLine>(), progress, standardError(), onAux)
    } catch (error) {
      if (error instanceof ProgressError) throw new CommandError(error.message, error.code === 0 ? 1 : error.code)
      throw error
    }
    if (flags.iidfile !== undefined && flags.iidfile !== '') {
      if (id === '') throw new CommandError(`server did not provide an image ID. Cannot write ${flags.iidfile}`)
      writeFileSync(flags.iidfile, id)
    }
    for (const output of outputs) await writeOutput(client, flags.tag[0] ?? id, id, output)
    return 0
  },
})

/** Leaves out of a context what the daemon has of an earlier build. A daemon that knows nothing of this gets everything. */
async function withoutKnown(client: Client, context: BuildContext): Promise<BuildContext & { readonly kept?: string }> {
  const { manifest } = context
  if (manifest === undefined) return context
  try {
    const { body } = await client.request<{ readonly Id: string; readonly Need: readonly number[] }>('POST', '/build/contexts', { body: { Key: manifest.key, Entries: manifest.entries } })
    return { dockerfile: context.dockerfile, archive: Readable.from(manifest.tar(body.Need), { objectMode: false }), kept: body.Id }
  } catch (error) {
    if (error instanceof ApiError && (error.status === 404 || error.status === 413)) return context
    throw error
  }
}

/** A quiet build tells its image's id and nothing else; what it did goes to standard error when it fails. */
async function quietly(messages: AsyncIterable<ProgressMessage>): Promise<string> {
  let told = ''
  try {
    await showProgress(messages, { terminal: false, print: (text) => void (told += text) })
    return told
  } catch (error) {
    standardError().print(told)
    throw error
  }
}

type Kind = 'classic' | 'plain' | 'tty' | 'rawjson'

/**
 * `auto` is a list where a terminal is, and lines elsewhere, as with BuildKit; both on standard error. Who sets `DOCKER_BUILDKIT=0` gets
 * the classic builder's text on standard output.
 */
function progressKind(flag: string | undefined): Kind {
  const wanted = flag ?? (process.env['BUILDKIT_PROGRESS'] || (process.env['DOCKER_BUILDKIT'] === '0' ? 'classic' : 'auto'))
  if (wanted === 'auto') return isTerminal(2) ? 'tty' : 'plain'
  if (wanted === 'plain' || wanted === 'tty' || wanted === 'classic' || wanted === 'rawjson') return wanted
  throw new CommandError(`invalid progress type ${JSON.stringify(wanted)}: must be auto, plain, tty, classic or rawjson`)
}

function rawLine(line: BuildProgressLine, onAux: (aux: unknown) => void): void {
  print(`${JSON.stringify(line)}\n`)
  if (line.aux !== undefined) onAux(line.aux)
  if (line.errorDetail !== undefined) throw new ProgressError(line.errorDetail.message ?? '', line.errorDetail.code ?? 0)
}

function outgoing(archive: Readable, compress: boolean, sent: SentReport | undefined): Readable {
  const reported = sent === undefined ? archive : archive.on('error', (error) => sent.destroy(error)).pipe(sent)
  if (!compress) return reported
  const { createGzip } = process.getBuiltinModule('node:zlib')
  const gzip = createGzip()
  return reported.on('error', (error) => gzip.destroy(error)).pipe(gzip)
}

/** Counts what is sent: on a terminal while it is, else once at the end. */
class SentReport extends Transform {
  readonly #terminal = isTerminal(1)
  #bytes = 0
  #shown = 0

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: (error: null, data: Buffer) => void): void {
    this.#bytes += chunk.length
    if (this.#terminal && this.#bytes - this.#shown > 512 * 1024) {
      this.#shown = this.#bytes
      print(`\r\u001b[K${this.#text()}`)
    }
    done(null, chunk)
  }

  override _flush(done: () => void): void {
    print(`${this.#terminal ? '\r\u001b[K' : ''}${this.#text()}\n`)
    done()
  }

  #text(): string {
    return `Sending build context to engine daemon  ${humanSize(this.#bytes, 4)}`
  }
}
