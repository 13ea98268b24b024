/** A bit of an answer, as recorder.ts writes it: a line of JSON each. */
export interface AnswerPart {
  /** Of the answer. */
  readonly id: string
  readonly method: string
  /** As it came: with version and query. */
  readonly url: string
  readonly status: number
  readonly type: string
  /** Whether it is the last one. */
  readonly ended: boolean
  /** Whether something was left out: it was too long. */
  readonly cut: boolean
  /** Bytes of a JSON body, a character each; nothing of other bodies. */
  readonly text: string
}
