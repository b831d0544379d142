package import Logging
import Mailbox

/// The lines that a logger was given.
package final class RecordedLog: Sendable {
    package struct Line: Sendable {
        package let level: Logger.Level
        package let message: String
        package let metadata: [String: String]
    }

    private struct Handler: LogHandler {
        let log: RecordedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            let all = metadata.merging(event.metadata ?? [:]) { $1 }
            log.state.withLock { lines in
                lines.append(
                    Line(
                        level: event.level, message: "\(event.message)",
                        metadata: all.mapValues { "\($0)" }))
            }
        }
    }

    private let state = Locked<[Line]>([])

    package init() {}

    /// A logger, of every level, whose lines are kept here.
    package var logger: Logger { Logger(label: "test") { _ in Handler(log: self) } }

    /// All lines so far.
    package var lines: [Line] { state.withLock { $0 } }

    /// The messages of the lines above debug level.
    package var notableMessages: [String] {
        lines.filter { $0.level > .debug }.map(\.message)
    }
}

extension Logger {
    /// For what logs lines that a test does not read.
    package static var silent: Logger {
        Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
    }
}
