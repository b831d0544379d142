import ProcessControl
import Supervisor

/// The signals of commands that run until they are told to stop.
enum ServiceSignals {
    static let all = Supervisor.signals
    private static let commands: Set = ["worker", "scheduler"]

    /// Holds signals back until the command listens; other commands end by them, as usual.
    ///
    /// To be called first, while there is one thread.
    static func blockIfNeeded(arguments: [String]) {
        guard let command = arguments.dropFirst().first, commands.contains(command) else { return }
        SignalReader.block(all)
        ProcessImage.rememberOwnPath()
    }
}
