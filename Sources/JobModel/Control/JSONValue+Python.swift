package import Foundation

extension JSONValue {
    /// The value as Python's `repr` shows it, cut where Celery cuts.
    package var pythonText: String { PythonRepr.value(self) }
}

extension [String] {
    /// These texts as Python shows a set of them.
    package var pythonSetText: String {
        isEmpty ? "set()" : "{\(map { JSONValue.string($0).pythonText }.joined(separator: ", "))}"
    }
}

extension Date {
    /// The date as Python's `isoformat` writes it, in UTC.
    package var pythonText: String { WireDate.text(self) }
}
