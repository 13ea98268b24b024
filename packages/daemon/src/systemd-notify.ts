import { sendUnixDatagram } from '@engine/linux/unix-datagram'

/**
 * Tells systemd how the service is doing (sd_notify(3)): `READY=1`, `STOPPING=1`, `STATUS=…`, one per line. Nothing happens when
 * nobody listens ($NOTIFY_SOCKET is not set).
 * @throws SyscallError when systemd's socket takes nothing
 */
export function notifySystemd(state: string): void {
  const socket = process.env['NOTIFY_SOCKET']
  if (socket !== undefined && /^[/@]/.test(socket)) sendUnixDatagram(socket, Buffer.from(state))
}
