import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { tally } from './words'

const version: unknown = JSON.parse(readFileSync(join(__dirname, 'version.json'), 'utf8'))
const [verb = 'serve', ...words] = process.argv.slice(2)

if (verb === 'version') console.log(JSON.stringify(version))
else if (verb === 'count') console.log(tally(words.join(' ')).map(([word, count]) => `${word} ${count}`).join('\n'))
else {
  const server = createServer((request, response) => {
    let text = ''
    request.setEncoding('utf8')
    request.on('data', (chunk: string) => (text += chunk))
    request.on('end', () => response.end(JSON.stringify(tally(text))))
  })
  server.listen(Number(process.env['PORT'] ?? 8080), () => console.log('listening'))
  process.on('SIGTERM', () => server.close(() => console.log('closed')))
}
