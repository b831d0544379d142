import Broker
import ProcessControl
import Supervisor

/// The signals of commands that run until they are told to stop, and of replays.
enum ServiceSignals {
    static let all = Supervisor.signals
    /// Those that end a replay between two entries.
    static let stopping: [ProcessSignal] = [.int, .term]
    private static let commands: Set = ["worker", "scheduler"]

    /// Holds signals back until the command listens; other commands end by them, as usual.
    ///
    /// To be called first, while there is one thread.
    static func blockIfNeeded(arguments: [String]) {
        let words = arguments.dropFirst()
        if let grave = words.first, Grave(rawValue: grave) != nil, words.contains("replay") {
            return SignalReader.block(stopping)
        }
        guard let command = words.first, commands.contains(command) else { return }
        SignalReader.block(all)
        ProcessImage.rememberOwnPath()
    }
}
