import ArgumentParser
import Dispatch

/// Where the process begins.
@main
enum Program {
    /// Blocks the signals of services while there is one thread, then runs the command line beside
    /// this thread and waits for it.
    ///
    /// An asynchronous `main` would not do: its thread ends up in a call that lets every signal
    /// through, and the first one would end the process.
    static func main() {
        ServiceSignals.blockIfNeeded(arguments: CommandLine.arguments)
        let isDone = DispatchSemaphore(value: 0)
        Task.detached {
            await Main.main(nil)
            isDone.signal()
        }
        isDone.wait()
    }
}
