import { RequestError, isAtLeast, readRegistryConfig } from '@engine/api'
import { EngineError } from '@engine/linux'
import { writeProgress } from '../answer-stream.ts'
import { bodyStream } from '../body-stream.ts'
import { SENT, type Call, type Handlers } from '../call.ts'

/** Serves /build: the classic builder's wire format, and what `engine build` sends besides (docs/builds.md). */
export const build: Handlers<'ImageBuild' | 'BuildPrune' | 'BuildInputs' | 'BuildInputsContext' | 'BuildContexts' | 'BuildFiles'> = {
  ImageBuild,

  BuildPrune({ engine, query }) {
    return engine.builds.prune({
      all: query.all,
      filters: query.filters,
      reservedSpace: query['reserved-space'] || query['keep-storage'],
      maxUsedSpace: query['max-used-space'],
      minFreeSpace: query['min-free-space'],
    })
  },

  BuildInputs: ({ engine, body }) => engine.builds.addInputs({ secrets: body.Secrets ?? {}, agents: body.Agents ?? {} }),

  BuildContexts: ({ engine, body }) => engine.builds.prepareContext({ key: body.Key, entries: body.Entries }),

  async BuildInputsContext({ engine, name, query, request, signal }) {
    if (query.context === '') throw new RequestError('the name of the build context is missing')
    await engine.builds.addDirectory(name, query.context, bodyStream(request), signal)
  },

  async BuildFiles(call) {
    await using files = await call.engine.builds.files(call.name)
    const out = call.stream({ 'Content-Type': 'application/x-tar' })
    for await (const chunk of files.tar) await out.write(chunk)
    out.end()
    return SENT
  },
}

async function ImageBuild(call: Call<'ImageBuild'>): Promise<unknown> {
  const { engine, query, request, signal, version } = call
  if (query.version === '2' || query.session !== undefined) {
    throw new EngineError('not-implemented', 'BuildKit sessions are not supported', { hint: 'set DOCKER_BUILDKIT=0 to build by POST /build' })
  }
  if (query.version !== '' && query.version !== '1') throw new RequestError(`invalid version ${JSON.stringify(query.version)}`)
  if (query.securityopt.length > 0) throw new RequestError('security options are not supported on linux')
  if (query.isolation !== '' && query.isolation !== 'default') throw new RequestError(`unsupported isolation: ${JSON.stringify(query.isolation)}`)
  if (query.remote === 'client-session') {
    throw new RequestError('experimental session with v1 builder is no longer supported, use builder version v2 (BuildKit) instead')
  }
  const header = request.headers['x-registry-config']
  const lines = engine.images.build(bodyStream(request), {
    tags: query.t,
    dockerfile: query.dockerfile,
    remote: query.remote,
    buildArgs: query.buildargs ?? {},
    labels: query.labels ?? {},
    noCache: query.nocache,
    quiet: query.q,
    remove: query.rm,
    forceRemove: query.forcerm,
    target: query.target,
    platform: isAtLeast(version, '1.32') ? query.platform : '',
    networkMode: query.networkmode,
    extraHosts: query.extrahosts,
    cacheFrom: query.cachefrom ?? [],
    cacheTo: [...query.cacheto, ...(isTrue(query.buildargs?.['BUILDKIT_INLINE_CACHE']) ? ['type=inline'] : [])],
    memory: query.memory,
    memorySwap: query.memswap,
    cpuShares: query.cpushares,
    cpuPeriod: query.cpuperiod,
    cpuQuota: query.cpuquota,
    cpusetCpus: query.cpusetcpus,
    cpusetMems: query.cpusetmems,
    cgroupParent: query.cgroupparent,
    ulimits: query.ulimits,
    squash: query.squash,
    shmSize: query.shmsize,
    pull: query.pull,
    credentials: readRegistryConfig(typeof header === 'string' ? header : undefined),
    inputs: query.inputs,
    context: query.context,
    contexts: query.contexts ?? {},
    entitlements: query.allow,
    progress: query.progress,
    why: query.why,
    expectCached: query.expectcached,
    check: query.check,
    epoch: readEpoch(query.epoch ?? query.buildargs?.['SOURCE_DATE_EPOCH'] ?? undefined),
    verify: query.verify,
  }, signal)
  await writeProgress(lines, () => call.stream({ 'Content-Type': 'application/json' }))
  return SENT
}

/** BuildKit's build argument for an image that tells of its steps. */
function isTrue(text: string | null | undefined): boolean {
  return text === '1' || text === 'true'
}

/** Seconds since the epoch, as https://reproducible-builds.org/specs/source-date-epoch/ has them. */
function readEpoch(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  if (!/^\d{1,11}$/.test(text)) throw new RequestError(`invalid SOURCE_DATE_EPOCH: ${text}`)
  return Number(text)
}
