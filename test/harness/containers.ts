import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { frames, type Client } from '@engine/api/client'
import { busyboxTar } from './images.ts'
import { patience } from './patience.ts'

/** Imports busybox. */
export async function importBusybox(client: Client, name = 'busybox', changes: readonly string[] = []): Promise<void> {
  for await (const line of (await client.stream('POST', '/images/create', { query: { fromSrc: '-', repo: name, changes }, body: busyboxTar() })).lines<{ error?: string }>()) assert.equal(line.error, undefined)
}

/** Makes a container. @returns its id */
export async function createContainer(client: Client, Cmd: readonly string[], host: object = {}, config: object = {}): Promise<string> {
  return (await client.request<{ Id: string }>('POST', '/containers/create', { body: { Image: 'busybox', Cmd, StopTimeout: 0, ...config, HostConfig: host } })).body.Id
}

/** Makes and starts a container. @returns its id */
export async function startContainer(client: Client, Cmd: readonly string[], host: object = {}, config: object = {}): Promise<string> {
  const id = await createContainer(client, Cmd, host, config)
  await client.request('POST', `/containers/${id}/start`)
  return id
}

/** What tests look at of an inspected container. */
export interface Inspected {
  readonly Id: string
  readonly RestartCount: number
  readonly State: { readonly Status: string; readonly Running: boolean; readonly Paused: boolean; readonly Pid: number; readonly ExitCode: number; readonly Error: string; readonly OOMKilled: boolean; readonly StartedAt: string; readonly FinishedAt: string }
  readonly NetworkSettings: { readonly Networks: Readonly<Record<string, { readonly IPAddress: string; readonly MacAddress: string }>> }
}

export async function inspectContainer(client: Client, id: string): Promise<Inspected> {
  return (await client.request<Inspected>('GET', `/containers/${id}/json`)).body
}

/** What a container has printed on both streams. @param tty whether it has a terminal: its log has no frames */
export async function logOf(client: Client, id: string, tty = false): Promise<string> {
  const { body } = await client.stream('GET', `/containers/${id}/logs`, { query: { stdout: true, stderr: true } })
  const chunks: Buffer[] = []
  if (tty) for await (const chunk of body) chunks.push(Buffer.from(chunk as Buffer))
  else for await (const { data } of frames(body)) chunks.push(data)
  return Buffer.concat(chunks).toString()
}

/** Runs a command in a container. @returns its exit status and what it printed */
export async function execIn(client: Client, id: string, Cmd: readonly string[]): Promise<{ readonly code: number; readonly output: string }> {
  const { body } = await client.request<{ Id: string }>('POST', `/containers/${id}/exec`, { body: { Cmd, AttachStdout: true, AttachStderr: true } })
  const { socket, head } = await client.hijack('POST', `/exec/${body.Id}/start`, { body: { Detach: false, Tty: false } })
  if (head.length > 0) socket.unshift(head)
  let output = ''
  for await (const { data } of frames(socket)) output += data.toString()
  return { code: (await client.request<{ ExitCode: number }>('GET', `/exec/${body.Id}/json`)).body.ExitCode, output }
}

/** Waits until something is so. @throws Error after twenty seconds, times patience */
export async function until(what: string, check: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1000 * patience; i++) {
    if (await check()) return
    await sleep(20)
  }
  throw new Error(`still not so: ${what}`)
}

/** Prints 1, 2, 3 … on lines, one every 10 ms. */
export const counting = ['sh', '-c', 'i=0; while :; do i=$((i+1)); echo $i; usleep 10000; done']

/** Checks that a log has the numbers from 1 on, none missing, none twice. @returns how many */
export function countedTo(log: string): number {
  const lines = log.replaceAll('\r', '').split('\n').slice(0, -1)
  const wrong = lines.findIndex((line, index) => line !== String(index + 1))
  assert.equal(wrong, -1, `line ${wrong + 1}: …${lines.slice(Math.max(0, wrong - 3), wrong + 4).join(', ')}…`)
  return lines.length
}
