import Glibc

/// A signal that the program sends or listens to.
///
/// The numbers are those of Linux on x86 and ARM. Source: signal(7).
package enum ProcessSignal: Int32, Sendable, CaseIterable, CustomStringConvertible {
    case hup = 1
    case int = 2
    case quit = 3
    case kill = 9
    case usr1 = 10
    case usr2 = 12
    case term = 15
    case cont = 18
    case stop = 19
    case tstp = 20
    case ttin = 21

    package var description: String { "SIG\(name)" }

    private var name: String {
        switch self {
        case .hup: "HUP"
        case .int: "INT"
        case .quit: "QUIT"
        case .kill: "KILL"
        case .usr1: "USR1"
        case .usr2: "USR2"
        case .term: "TERM"
        case .cont: "CONT"
        case .stop: "STOP"
        case .tstp: "TSTP"
        case .ttin: "TTIN"
        }
    }
}

extension sigset_t {
    /// The set of these signals.
    static func of(_ signals: [ProcessSignal]) -> sigset_t {
        var set = sigset_t()
        // Safe: the set is a local value, touched only by these calls.
        unsafe sigemptyset(&set)
        for signal in signals { unsafe sigaddset(&set, signal.rawValue) }
        return set
    }
}
