import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { EngineError, SyscallError, errnoText } from '@engine/linux'
import { mountInBackground, MS_BIND, MS_REC } from '@engine/linux/mount'
import { MNT_DETACH, UMOUNT_NOFOLLOW, unmountInBackground } from '@engine/linux/unmount'

const MS_RDONLY = 0x1
const MS_REMOUNT = 0x20

/** Words of option `o` that are flags of mount(2); what is none goes to the file system. */
const flagWords: Readonly<Record<string, readonly [set: number, clear: number]>> = {
  defaults: [0, 0],
  ro: [MS_RDONLY, 0],
  rw: [0, MS_RDONLY],
  nosuid: [0x2, 0],
  suid: [0, 0x2],
  nodev: [0x4, 0],
  dev: [0, 0x4],
  noexec: [0x8, 0],
  exec: [0, 0x8],
  sync: [0x10, 0],
  async: [0, 0x10],
  dirsync: [0x80, 0],
  mand: [0x40, 0],
  nomand: [0, 0x40],
  noatime: [0x400, 0],
  atime: [0, 0x400],
  nodiratime: [0x800, 0],
  diratime: [0, 0x800],
  relatime: [1 << 21, 0],
  norelatime: [0, 1 << 21],
  strictatime: [1 << 24, 0],
  nostrictatime: [0, 1 << 24],
  bind: [MS_BIND, 0],
  rbind: [MS_BIND | MS_REC, 0],
}

/** Takes `ro,nosuid,size=1m` apart. */
export function parseMountWords(words: string): { readonly flags: number; readonly data: string } {
  let flags = 0
  const data: string[] = []
  for (const word of words === '' ? [] : words.split(',')) {
    const known = Object.hasOwn(flagWords, word) ? flagWords[word] : undefined
    if (known === undefined) data.push(word)
    else flags = (flags | known[0]) & ~known[1]
  }
  return { flags, data: data.join(',') }
}

/**
 * Mounts what a volume's options name (driver local: type, device, o) on its directory.
 * @param options of the volume, checked before
 * @throws EngineError invalid-argument in Docker's words
 */
export async function mountDevice(directory: string, options: Readonly<Record<string, string>>): Promise<void> {
  const { type = '', device = '' } = options
  const { flags, data } = parseMountWords(await withAddress(directory, type, options['o'] ?? ''))
  try {
    await mountInBackground(device, directory, type, flags, data)
    // A bind takes no other flags until it is there.
    if ((flags & MS_BIND) !== 0 && (flags & ~(MS_BIND | MS_REC)) !== 0) await remount(directory, flags)
  } catch (error) {
    if (!(error instanceof SyscallError)) throw error
    const shown = [`mount ${device}:${directory}`, ...(flags === 0 ? [] : [`flags: 0x${flags.toString(16)}`]), ...(data === '' ? [] : [`data: ${data}`])].join(', ')
    throw new EngineError('invalid-argument', `error while mounting volume '${directory}': failed to mount local volume: ${shown}: ${errnoText(error.errno)}`, { cause: error })
  }
}

async function remount(directory: string, flags: number): Promise<void> {
  try {
    await mountInBackground('none', directory, '', MS_REMOUNT | (flags & ~MS_REC), '')
  } catch (error) {
    await unmountDevice(directory)
    throw error
  }
}

/** Takes such a mount away, however busy. */
export async function unmountDevice(directory: string): Promise<void> {
  while (await unmountInBackground(directory, MNT_DETACH | UMOUNT_NOFOLLOW));
}

/** The kernel's network file systems want an address for `addr=`, where users give a name. */
async function withAddress(directory: string, type: string, words: string): Promise<string> {
  const name = /(?:^|,)addr=([^,]*)/.exec(words)?.[1]
  if (name === undefined || name === '' || !['nfs', 'nfs4', 'cifs'].includes(type) || isIP(name) !== 0) return words
  try {
    const { address } = await lookup(name)
    return words.replace(`addr=${name}`, `addr=${address}`)
  } catch (cause) {
    throw new EngineError('invalid-argument', `error while mounting volume '${directory}': error resolving passed in network volume address: lookup ${name}: no such host`, { cause })
  }
}
