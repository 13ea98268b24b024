/** A difference that is meant to be. */
interface Known {
  readonly request: RegExp
  /** As the test tells it: `without .Field: type`, `with .Field: type`, `status is …`. */
  readonly line: RegExp
  readonly reason: string
}

export const known: readonly Known[] = [
  { request: /^create: /, line: /HostConfig\.CgroupnsMode = /, reason: "a container's cgroup is its own business, on cgroup v1 too" },
  { request: /^create: memory of the kernel$/, line: /^with warning: A limit of kernel TCP memory/, reason: 'what has no effect is said' },
  { request: /^create: a sysctl of (an|another) interface$/, line: /^status is 400, not 500$/, reason: 'it is the request that is wrong' },
  { request: /^info$/, line: /^without \.(Containerd|RuncCommit\.Expected|Runtimes\.\*\.status)\b/, reason: 'no containerd and no runc underneath' },
  { request: /^container stats$/, line: /^with(out)? \.blkio_stats\.\w+\[\]/, reason: 'only where the container has read from a disk' },
]

/** Why a difference is meant to be; undefined when it is not. */
export function excuseOf(request: string, line: string): string | undefined {
  return known.find((one) => one.request.test(request) && one.line.test(line))?.reason
}
