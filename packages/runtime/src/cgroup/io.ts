import { Errno, failedWith } from '@engine/linux'
import type { OciResources, OciThrottle } from '../spec.ts'
import { writeControl, writeControlIfThere } from './control-file.ts'
import type { Place } from './hierarchy.ts'

type BlockIo = NonNullable<OciResources['blockIO']>

const noWeight = 'Your kernel does not support Block I/O weight or the cgroup is not mounted. Weight discarded.'
const noWeightDevice = 'Your kernel does not support Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.'

const throttles = [
  ['throttleReadBpsDevice', 'rbps', 'blkio.throttle.read_bps_device', 'BPS Block I/O read limit', 'Block I/O BPS read limit'],
  ['throttleWriteBpsDevice', 'wbps', 'blkio.throttle.write_bps_device', 'BPS Block I/O write limit', 'Block I/O BPS write limit'],
  ['throttleReadIOPSDevice', 'riops', 'blkio.throttle.read_iops_device', 'IOPS Block read limit', 'Block I/O IOPS read limit'],
  ['throttleWriteIOPSDevice', 'wiops', 'blkio.throttle.write_iops_device', 'IOPS Block write limit', 'Block I/O IOPS write limit'],
] as const

/** Sets weights and rate limits of block devices. */
export function applyIo(place: Place | undefined, io: BlockIo | undefined, warnings: string[]): void {
  if (io === undefined) return
  if (io.weight !== undefined && io.weight !== 0) {
    if (place === undefined || !applyWeight(place, io.weight)) warnings.push(noWeight)
  }
  for (const { major, minor, weight } of io.weightDevice ?? []) {
    if (place === undefined || !applyWeightDevice(place, `${major}:${minor}`, weight)) {
      if (!warnings.includes(noWeightDevice)) warnings.push(noWeightDevice)
    }
  }
  for (const [field, key, file, lacking, discarded] of throttles) {
    for (const throttle of io[field] ?? []) {
      if (place !== undefined && applyThrottle(place, throttle, key, file)) continue
      const warning = `Your kernel does not support ${lacking} or the cgroup is not mounted. ${discarded} discarded.`
      if (!warnings.includes(warning)) warnings.push(warning)
    }
  }
}

/** Which of the weight files there is depends on the kernel's schedulers: BFQ has one, older CFQ (v1) and iocost (v2) another. */
function applyWeight({ version, directory }: Place, weight: number): boolean {
  const [bfq, other] = version === 1 ? ['blkio.bfq.weight', 'blkio.weight'] : ['io.bfq.weight', 'io.weight']
  if (writeControlIfThere(`${directory}/${bfq}`, String(weight))) return true
  return writeControlIfThere(`${directory}/${other}`, version === 1 ? String(weight) : `default ${ioWeight(weight)}`)
}

function applyWeightDevice({ version, directory }: Place, device: string, weight: number): boolean {
  const files = version === 1 ? ['blkio.bfq.weight_device', 'blkio.weight_device'] : ['io.bfq.weight']
  return files.some((file) => writeControlIfThere(`${directory}/${file}`, `${device} ${weight}`))
}

function applyThrottle({ version, directory }: Place, { major, minor, rate }: OciThrottle, key: string, file: string): boolean {
  const device = `${major}:${minor}`
  if (version === 1) return writeControlIfThere(`${directory}/${file}`, `${device} ${rate}`)
  // 0 is Docker's word for no limit; to v2 it is a limit that nothing passes.
  const line = `${device} ${key}=${rate === 0 ? 'max' : rate}`
  try {
    writeControl(`${directory}/io.max`, line)
    return true
  } catch (error) {
    if (failedWith(error, Errno.ENOENT, Errno.EOPNOTSUPP)) return false
    throw error
  }
}

/** The v2 weight (1 to 10,000) of a v1 weight (10 to 1,000), as opencontainers/cgroups maps it. */
export function ioWeight(weight: number): number {
  return 1 + Math.floor(((weight - 10) * 9999) / 990)
}
