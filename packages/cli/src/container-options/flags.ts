import { readAddress, readExtraHost, readLink, readSearchDomain } from '../arguments/addresses.ts'
import { readDuration } from '../arguments/durations.ts'
import { list, onOff, text, value } from '../arguments/flag.ts'
import { readLabel, readVariable } from '../arguments/key-values.ts'
import { readBytes, readBytesOrUnlimited, readCpus, readInteger } from '../arguments/sizes.ts'
import { readCgroupRule } from './devices.ts'
import { readGpus } from './gpus.ts'
import { readBytesRate, readCountRate, readUlimit, readWeightDevice } from './limits.ts'
import { readMount } from './mounts.ts'
import { readNetwork } from './networks.ts'

const identity = { group: 'Name and image' }
const streams = { group: 'Terminal and streams' }
const process_ = { group: 'Process' }
const files = { group: 'Files' }
const network = { group: 'Network' }
const limits = { group: 'Limits' }
const isolation = { group: 'Isolation and rights' }
const life = { group: 'Life, health and logs' }

/** The flags that `run` and `create` share: everything a container is made from. */
export const containerFlags = {
  name: text('Assign a name to the container', identity),
  label: list('Set meta data on a container', { ...identity, short: 'l', read: readLabel }),
  'label-file': list('Read in a line delimited file of labels', identity),
  annotation: list('Add an annotation, passed on to the OCI runtime', { ...identity, word: 'map' }),
  cidfile: text('Write the container ID to the file', identity),
  pull: text('Pull image before running ("always", "missing", "never") (default "missing")', identity),
  platform: text('Set platform if server is multi-platform capable', identity),
  quiet: onOff('Suppress the pull output', { ...identity, short: 'q' }),

  interactive: onOff('Keep STDIN open even if not attached', { ...streams, short: 'i' }),
  tty: onOff('Allocate a pseudo-TTY', { ...streams, short: 't' }),
  attach: list('Attach to STDIN, STDOUT or STDERR', { ...streams, short: 'a', read: readStream }),

  env: list('Set environment variables', { ...process_, short: 'e', read: readVariable }),
  'env-file': list('Read in a file of environment variables', process_),
  entrypoint: text('Overwrite the default ENTRYPOINT of the image', process_),
  workdir: text('Working directory inside the container', { ...process_, short: 'w' }),
  user: text('Username or UID (format: <name|uid>[:<group|gid>])', { ...process_, short: 'u' }),
  'group-add': list('Add additional groups to join', process_),
  init: onOff('Run an init inside the container that forwards signals and reaps processes', process_),
  'stop-signal': text('Signal to stop the container', process_),
  'stop-timeout': value(readInteger, 'Timeout (in seconds) to stop a container', { ...process_, word: 'int' }),

  volume: list('Bind mount a volume', { ...files, short: 'v' }),
  mount: list('Attach a filesystem mount to the container', { ...files, word: 'mount', read: readMount }),
  tmpfs: list('Mount a tmpfs directory', files),
  'volumes-from': list('Mount volumes from the specified container(s)', files),
  'volume-driver': text('Optional volume driver for the container', files),
  'read-only': onOff("Mount the container's root filesystem as read only", files),
  'shm-size': value(readBytes, 'Size of /dev/shm', { ...files, word: 'bytes' }),
  'storage-opt': list('Storage driver options for the container', files),
  device: list('Add a host device to the container', files),
  gpus: list("GPU devices to add to the container ('all' to pass all GPUs)", { ...files, word: 'gpu-request', read: readGpus }),

  network: list('Connect a container to a network', { ...network, word: 'network', read: readNetwork }),
  net: list('Connect a container to a network', { hidden: true, word: 'network', read: readNetwork }),
  publish: list("Publish a container's port(s) to the host", { ...network, short: 'p' }),
  'publish-all': onOff('Publish all exposed ports to random ports', { ...network, short: 'P' }),
  expose: list('Expose a port or a range of ports', network),
  hostname: text('Container host name', { ...network, short: 'h' }),
  domainname: text('Container NIS domain name', network),
  dns: list('Set custom DNS servers', { ...network, read: readAddress }),
  'dns-option': list('Set DNS options', network),
  'dns-opt': list('Set DNS options', { hidden: true }),
  'dns-search': list('Set custom DNS search domains', { ...network, read: readSearchDomain }),
  'add-host': list('Add a custom host-to-IP mapping (host:ip)', { ...network, read: readExtraHost }),
  ip: text('IPv4 address (e.g., 172.30.100.104)', network),
  ip6: text('IPv6 address (e.g., 2001:db8::33)', network),
  'link-local-ip': list('Container IPv4/IPv6 link-local addresses', network),
  'mac-address': text('Container MAC address (e.g., 92:d0:c6:0a:29:33)', network),
  'network-alias': list('Add network-scoped alias for the container', network),
  'net-alias': list('Add network-scoped alias for the container', { hidden: true }),
  link: list('Add link to another container', { ...network, read: readLink }),

  memory: value(readBytes, 'Memory limit', { ...limits, short: 'm', word: 'bytes' }),
  'memory-swap': value(readBytesOrUnlimited, "Memory plus swap limit; '-1' for unlimited swap", { ...limits, word: 'bytes' }),
  'memory-reservation': value(readBytes, 'Memory soft limit', { ...limits, word: 'bytes' }),
  'memory-swappiness': value(readInteger, 'Tune container memory swappiness (0 to 100)', { ...limits, word: 'int' }),
  'kernel-memory': value(readBytes, 'Kernel memory limit', { hidden: true, word: 'bytes' }),
  cpus: value(readCpus, 'Number of CPUs', { ...limits, word: 'decimal' }),
  'cpu-shares': value(readInteger, 'CPU shares (relative weight)', { ...limits, short: 'c', word: 'int' }),
  'cpu-period': value(readInteger, 'Limit CPU CFS (Completely Fair Scheduler) period', { ...limits, word: 'int' }),
  'cpu-quota': value(readInteger, 'Limit CPU CFS (Completely Fair Scheduler) quota', { ...limits, word: 'int' }),
  'cpu-rt-period': value(readInteger, 'Limit CPU real-time period in microseconds', { ...limits, word: 'int' }),
  'cpu-rt-runtime': value(readInteger, 'Limit CPU real-time runtime in microseconds', { ...limits, word: 'int' }),
  'cpuset-cpus': text('CPUs in which to allow execution (0-3, 0,1)', limits),
  'cpuset-mems': text('MEMs in which to allow execution (0-3, 0,1)', limits),
  'pids-limit': value(readInteger, 'Tune container pids limit (set -1 for unlimited)', { ...limits, word: 'int' }),
  ulimit: list('Ulimit options (name=soft[:hard])', { ...limits, word: 'ulimit', read: readUlimit }),
  'blkio-weight': value(readWeight, 'Block IO weight, between 10 and 1000, or 0 to disable', { ...limits, word: 'uint16' }),
  'blkio-weight-device': list('Block IO weight of a device', { ...limits, read: readWeightDevice }),
  'device-read-bps': list('Limit read rate (bytes per second) from a device', { ...limits, read: readBytesRate }),
  'device-read-iops': list('Limit read rate (IO per second) from a device', { ...limits, read: readCountRate }),
  'device-write-bps': list('Limit write rate (bytes per second) to a device', { ...limits, read: readBytesRate }),
  'device-write-iops': list('Limit write rate (IO per second) to a device', { ...limits, read: readCountRate }),
  'oom-kill-disable': onOff('Disable OOM Killer', limits),
  'oom-score-adj': value(readInteger, "Tune host's OOM preferences (-1000 to 1000)", { ...limits, word: 'int' }),
  'cgroup-parent': text('Optional parent cgroup for the container', limits),

  'cap-add': list('Add Linux capabilities', isolation),
  'cap-drop': list('Drop Linux capabilities', isolation),
  privileged: onOff('Give extended privileges to this container', isolation),
  'security-opt': list('Security options (no-new-privileges, seccomp=FILE, ...)', isolation),
  pid: text("PID namespace to use ('host', 'container:NAME')", isolation),
  ipc: text("IPC mode to use ('private', 'shareable', 'host', 'none', 'container:NAME')", isolation),
  uts: text("UTS namespace to use ('host')", isolation),
  userns: text("User namespace to use ('host')", isolation),
  cgroupns: text("Cgroup namespace to use ('host', 'private')", isolation),
  sysctl: list('Sysctl options', { ...isolation, word: 'map', read: readSysctl }),
  'device-cgroup-rule': list('Add a rule to the cgroup allowed devices list', { ...isolation, read: readCgroupRule }),
  runtime: text('Runtime to use for this container', isolation),
  isolation: text('Container isolation technology', { hidden: true }),
  'disable-content-trust': onOff('Skip image verification', { hidden: true, initial: true }),

  rm: onOff('Remove the container and its anonymous volumes when it exits', life),
  restart: text("Restart policy when a container exits ('no', 'always', 'on-failure[:N]', ...)", life),
  'health-cmd': text('Command to run to check health', life),
  'health-interval': value(readDuration, 'Time between running the check (ms|s|m|h)', { ...life, word: 'duration' }),
  'health-retries': value(readInteger, 'Consecutive failures needed to report unhealthy', { ...life, word: 'int' }),
  'health-start-period': value(readDuration, 'Time to initialize before retries count (ms|s|m|h)', { ...life, word: 'duration' }),
  'health-start-interval': value(readDuration, 'Time between checks during the start period (ms|s|m|h)', { ...life, word: 'duration' }),
  'health-timeout': value(readDuration, 'Maximum time to allow one check to run (ms|s|m|h)', { ...life, word: 'duration' }),
  'no-healthcheck': onOff('Disable any container-specified HEALTHCHECK', life),
  'log-driver': text('Logging driver for the container', life),
  'log-opt': list('Log driver options', life),
}

function readStream(given: string): string {
  const stream = given.toLowerCase()
  if (!['stdin', 'stdout', 'stderr'].includes(stream)) throw new Error('valid streams are STDIN, STDOUT and STDERR')
  return stream
}

function readSysctl(given: string): string {
  const dots = given.split('=')
  const prefixes = ['kernel.msgmax', 'kernel.msgmnb', 'kernel.msgmni', 'kernel.sem', 'kernel.shmall', 'kernel.shmmax', 'kernel.shmmni', 'kernel.shm_rmid_forced']
  const [name = ''] = dots
  if (dots.length < 2 || !(prefixes.includes(name) || name.startsWith('net.') || name.startsWith('fs.mqueue.'))) {
    throw new Error(`sysctl '${given}' is not allowed`)
  }
  return given
}

function readWeight(given: string): number {
  if (!/^[0-9]+$/.test(given)) throw new Error(`strconv.ParseUint: parsing ${JSON.stringify(given)}: invalid syntax`)
  if (Number(given) > 65535) throw new Error(`strconv.ParseUint: parsing ${JSON.stringify(given)}: value out of range`)
  return Number(given)
}
