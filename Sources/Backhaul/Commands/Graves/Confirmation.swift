import ArgumentParser
import Foundation

/// Asks before something that cannot be taken back.
struct Confirmation {
    /// 64, EX_USAGE of sysexits(3): nobody is there to ask, and `--yes` was not given.
    static let usageCode: Int32 = 64

    var isTerminal = isatty(FileHandle.standardInput.fileDescriptor) == 1
    var answer: () -> String? = { readLine() }

    /// Whether the operator typed `word` after being told what will happen.
    ///
    /// - Throws: exit code 64 when there is no terminal to ask on.
    func isGiven(for what: String, typing word: String) throws -> Bool {
        guard isTerminal else {
            FileHandle.standardError.write(
                Data(
                    """
                    backhaul: this would \(what), and there is no terminal to ask on: \
                    look first with --dry-run, then repeat with --yes

                    """.utf8))
            throw ExitCode(Self.usageCode)
        }
        print("This will \(what). Type \(word) to go on: ", terminator: "")
        FileHandle.standardOutput.synchronizeFile()
        return answer()?.trimmingCharacters(in: .whitespaces) == word
    }
}
