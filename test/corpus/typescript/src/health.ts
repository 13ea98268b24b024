import { request } from 'node:http'

const asked = request({ port: Number(process.env['PORT'] ?? 8080), method: 'POST' }, (response) => process.exit(response.statusCode === 200 ? 0 : 1))
asked.on('error', () => process.exit(1))
asked.end('is it well')
