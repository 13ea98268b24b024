/** What build arguments tell the builder itself; no ARG need name them (the reference's "BuildKit built-in build args"). */
export interface BuilderArgs {
  /** A context out of git keeps its `.git`. */
  readonly keepGitDir: boolean
  /** What the containers of RUN are called; undefined is the builder's choice. */
  readonly hostname: string | undefined
  /** Goes before the ids of cache mounts. */
  readonly cacheNamespace: string
}

/** Reads them. BUILDKIT_DOCKERFILE_CHECK, BUILDKIT_INLINE_CACHE and SOURCE_DATE_EPOCH are read where they count. */
export function builderArgs(given: Readonly<Record<string, string | null>>): BuilderArgs {
  return {
    keepGitDir: ['1', 't', 'T', 'TRUE', 'true', 'True'].includes(given['BUILDKIT_CONTEXT_KEEP_GIT_DIR'] ?? ''),
    hostname: given['BUILDKIT_SANDBOX_HOSTNAME'] || undefined,
    cacheNamespace: given['BUILDKIT_CACHE_MOUNT_NS'] ?? '',
  }
}

/** Whether an argument is the builder's, so that nobody misses it in the Dockerfile. */
export function isBuilderArg(name: string): boolean {
  return name.startsWith('BUILDKIT_') || name === 'SOURCE_DATE_EPOCH'
}
