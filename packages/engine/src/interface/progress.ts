/** One line of a JSON progress stream: `{"stream": …}`, `{"status": …}`, `{"aux": …}`, `{"errorDetail": …, "error": …}`. */
export type Progress = Readonly<Record<string, unknown>>
