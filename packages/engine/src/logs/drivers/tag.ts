import { EngineError } from '@engine/linux'

/** What a log's tag may name, as Docker's logger.Info has it. */
export interface TagFields {
  readonly containerId: string
  readonly name: string
  readonly imageId: string
  readonly imageName: string
  readonly command: string
}

/**
 * Fills in a tag's template: `{{.Name}}/{{.ID}}`. Of Go's templates only fields are known.
 * @throws EngineError invalid-argument in Go's words
 */
export function renderTag(template: string, { containerId, name, imageId, imageName, command }: TagFields): string {
  const fields: Readonly<Record<string, string>> = {
    ID: containerId.slice(0, 12),
    FullID: containerId,
    Name: name,
    ImageID: imageId.slice(0, 12),
    ImageFullID: imageId,
    ImageName: imageName,
    Command: command,
    DaemonName: 'docker',
  }
  return template.replaceAll(/\{\{(.*?)(\}\}|$)/gs, (_, action: string, close: string, at: number) => {
    if (close === '') throw invalid('template: log-tag:1: unclosed action')
    const field = /^-?\s*\.(\w+)\s*-?$/.exec(action.trim())?.[1]
    if (field === undefined) throw invalid(`template: log-tag:1: only fields are known in ${JSON.stringify(`{{${action}}}`)}`)
    const value = fields[field]
    if (value === undefined) throw invalid(`template: log-tag:1:${at + 2}: executing "log-tag" at <.${field}>: can't evaluate field ${field} in type *logger.Info`)
    return value
  })
}

function invalid(message: string): EngineError {
  return new EngineError('invalid-argument', message)
}
