import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run } from './report.mjs'

/** Packs Debian's busybox-static as the root file system of a base image; no registry is needed.
 * @param {string} file the tar to write */
export async function busyboxTar(file) {
  const directory = mkdtempSync(join(tmpdir(), 'engine-base-'))
  try {
    for (const name of ['bin', 'etc', 'tmp', 'root', 'proc', 'sys', 'dev', 'var', 'home', 'usr']) mkdirSync(join(directory, name))
    copyFileSync('/bin/busybox', join(directory, 'bin/busybox'))
    const applets = (await run('/bin/busybox', ['--list'])).trim().split('\n')
    for (const applet of applets) if (applet !== 'busybox') symlinkSync('busybox', join(directory, 'bin', applet))
    writeFileSync(join(directory, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n')
    writeFileSync(join(directory, 'etc/group'), 'root:x:0:\nnogroup:x:65534:\n')
    // Whatever the umask: who is not root inside is to see files as well. mkdtemp(3) lets nobody else in.
    for (const name of ['', 'bin', 'etc', 'proc', 'sys', 'dev', 'var', 'home', 'usr', 'bin/busybox']) chmodSync(join(directory, name), 0o755)
    for (const name of ['etc/passwd', 'etc/group']) chmodSync(join(directory, name), 0o644)
    chmodSync(join(directory, 'root'), 0o700)
    chmodSync(join(directory, 'tmp'), 0o1777)
    await run('tar', ['--numeric-owner', '--owner=0', '--group=0', '-C', directory, '-cf', file, '.'])
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
}
