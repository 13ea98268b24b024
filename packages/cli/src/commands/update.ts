import { containerFlags } from '../container-options/flags.ts'
import { readRestartPolicy } from '../container-options/restart-policy.ts'
import { print } from '../terminal/output.ts'
import { CommandError, defineCommand } from './command.ts'
import { forEach } from './messages.ts'

const flags = {
  'blkio-weight': containerFlags['blkio-weight'],
  'cpu-period': containerFlags['cpu-period'],
  'cpu-quota': containerFlags['cpu-quota'],
  'cpu-rt-period': containerFlags['cpu-rt-period'],
  'cpu-rt-runtime': containerFlags['cpu-rt-runtime'],
  'cpu-shares': containerFlags['cpu-shares'],
  cpus: containerFlags.cpus,
  'cpuset-cpus': containerFlags['cpuset-cpus'],
  'cpuset-mems': containerFlags['cpuset-mems'],
  memory: containerFlags.memory,
  'memory-reservation': containerFlags['memory-reservation'],
  'memory-swap': containerFlags['memory-swap'],
  'pids-limit': containerFlags['pids-limit'],
  restart: containerFlags.restart,
}

export const command = defineCommand({
  usage: '[OPTIONS] CONTAINER [CONTAINER...]',
  summary: 'Update configuration of one or more containers',
  examples: [
    ['engine update -m 512m --memory-swap 1g web', 'another limit of memory, while it runs'],
    ['engine update --restart unless-stopped web db', 'another restart policy'],
  ],
  flags,
  args: [1, Infinity],
  async run({ flags: given, args }, { client }) {
    if (Object.values(given).every((value) => value === undefined)) throw new CommandError('you must provide one or more flags when using this command')
    const body = {
      BlkioWeight: given['blkio-weight'],
      CpuShares: given['cpu-shares'],
      Memory: given.memory,
      MemoryReservation: given['memory-reservation'],
      MemorySwap: given['memory-swap'],
      CpuPeriod: given['cpu-period'],
      CpuQuota: given['cpu-quota'],
      CpusetCpus: given['cpuset-cpus'],
      CpusetMems: given['cpuset-mems'],
      CpuRealtimePeriod: given['cpu-rt-period'],
      CpuRealtimeRuntime: given['cpu-rt-runtime'],
      NanoCpus: given.cpus,
      PidsLimit: given['pids-limit'],
      RestartPolicy: given.restart === undefined || given.restart === '' ? { Name: '', MaximumRetryCount: 0 } : readRestartPolicy(given.restart),
    }
    const warnings: string[] = []
    const status = await forEach(args, async (container) => {
      const answer = await client.request<{ Warnings: string[] | null }>('POST', `/containers/${container}/update`, { body })
      warnings.push(...(answer.body.Warnings ?? []))
    })
    print(warnings.map((warning) => `${warning}\n`).join(''))
    return status
  },
})
