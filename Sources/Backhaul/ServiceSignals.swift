import ProcessControl
import Supervisor

/// The signals of commands that run until they are told to stop.
enum ServiceSignals {
    static let all = Supervisor.signals
    /// Those that ask a command to stop where it is.
    static let stopping: [ProcessSignal] = [.int, .term]
    private static let commands: Set = ["worker", "scheduler", "relay"]
    private static let stoppable: Set = ["replay"]

    /// Holds signals back until the command listens; other commands end by them, as usual.
    ///
    /// To be called first, while there is one thread.
    static func blockIfNeeded(arguments: [String]) {
        let words = arguments.dropFirst().prefix(2)
        if let command = words.first, commands.contains(command) {
            SignalReader.block(all)
            ProcessImage.rememberOwnPath()
        } else if let verb = words.last, stoppable.contains(verb) {
            SignalReader.block(stopping)
        }
    }
}
