import Foundation
import JobModel
import Logging

/// Writes log lines in the shape that the settings ask for.
struct LineLogHandler: LogHandler {
    let label: String
    let format: LogFormat
    let output: LogOutput
    let time: any TimeSource

    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    var metadataProvider: Logger.MetadataProvider?

    init(label: String, settings: LogSettings, output: LogOutput, time: any TimeSource) {
        self.label = label
        self.format = settings.format
        self.output = output
        self.time = time
        logLevel = settings.level
    }

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes one line; what the call site says wins over the provider, and that over the handler.
    func log(event: LogEvent) {
        var facts = metadata
        if let provided = metadataProvider?.get() {
            facts.merge(provided) { _, newer in newer }
        }
        if let given = event.metadata { facts.merge(given) { _, newer in newer } }
        if let error = event.error, facts[LogKey.errorMessage] == nil {
            facts[LogKey.errorMessage] = "\(error)"
        }
        let entry = LogEntry(
            date: time.now, level: event.level, logger: label,
            message: event.message.description, metadata: facts)
        output.write(format.line(for: entry))
    }
}

extension LogSettings {
    /// A logger that writes to `output` as these settings say.
    func logger(
        label: String, output: LogOutput = .standardError, time: any TimeSource = SystemTime()
    ) -> Logger {
        Logger(label: label) { label in
            LineLogHandler(label: label, settings: self, output: output, time: time)
        }
    }
}
