internal import CCurl

/// One libcurl easy handle: set for a transfer, read when it is over, used again for the next.
///
/// Threading: belongs to the driver's thread. Ownership: freed in `deinit`; it must have been taken
/// out of its multi handle before. See libcurl-easy(3) and curl_easy_setopt(3).
@safe
final class CurlEasy {
    // Invariant: a live handle from init to deinit.
    private let handle: UnsafeMutableRawPointer
    private let headerList = HeaderList()
    private let body = BodyBuffer()
    /// Held because libcurl reads it while a transfer is under way.
    private var target: RequestTarget?

    init() {
        guard let handle = unsafe curl_easy_init() else {
            preconditionFailure("curl_easy_init failed: out of memory")
        }
        unsafe self.handle = handle
    }

    deinit { unsafe curl_easy_cleanup(handle) }

    /// Forgets all options; connections stay with the multi handle.
    func reset() {
        unsafe curl_easy_reset(handle)
        target = nil
    }

    /// A number by which ``CurlMulti`` names the handle when its transfer is over.
    func setPlace(_ place: Int) {
        check(unsafe curl_set_place(handle, place), CURLOPT_PRIVATE)
    }

    /// Sets where the next transfers go.
    ///
    /// libcurl connects by the parsed form; it is told the text as well, from which it makes a
    /// request that is sent once more.
    func setTarget(_ target: RequestTarget) {
        guard self.target !== target else { return }
        set(CURLOPT_URL, target.url)
        check(unsafe target.withParsed { unsafe curl_set_target(handle, $0) }, CURLOPT_CURLU)
        self.target = target
    }

    /// Gives the handle to a C call on the same thread; it must not be kept.
    @unsafe
    func withHandle<Answer>(_ body: (UnsafeMutableRawPointer) -> Answer) -> Answer {
        unsafe body(handle)
    }

    func set(_ option: CURLoption, _ value: Int) {
        check(unsafe curl_set_long(handle, option, value), option)
    }

    func set(_ option: CURLoption, bytes value: Int) {
        check(unsafe curl_set_size(handle, option, curl_off_t(value)), option)
    }

    func set(_ option: CURLoption, _ value: String) {
        check(unsafe curl_set_text(handle, option, value), option)
    }

    /// libcurl takes milliseconds, and zero for "no limit": never zero.
    func set(_ option: CURLoption, _ value: Duration) {
        let (seconds, attoseconds) = value.components
        let milliseconds = seconds * 1000 + attoseconds / 1_000_000_000_000_000
        set(option, Int(min(max(milliseconds, 1), Int64(Int32.max))))
    }

    /// Copies `bytes` as the request's body.
    func setBody(_ bytes: [UInt8]) {
        set(CURLOPT_POSTFIELDSIZE_LARGE, bytes: bytes.count)
        check(
            unsafe curl_set_pointer(handle, CURLOPT_POSTFIELDS, body.fill(bytes)),
            CURLOPT_POSTFIELDS)
    }

    /// Lets go of the body, if it is large; the transfer must be over.
    func dropBody() {
        guard body.isLarge else { return }
        check(unsafe curl_set_pointer(handle, CURLOPT_POSTFIELDS, nil), CURLOPT_POSTFIELDS)
        body.empty()
    }

    /// Sets the header lines; they must not be set again while the transfer is under way.
    func setHeaders(_ lines: HeaderLines) {
        unsafe check(
            curl_set_list(handle, CURLOPT_HTTPHEADER, headerList.fill(lines)), CURLOPT_HTTPHEADER)
    }

    func integer(_ info: CURLINFO) -> Int {
        var value = 0
        return unsafe curl_get_long(handle, info, &value) == CURLE_OK ? value : 0
    }

    func size(_ info: CURLINFO) -> Int64 {
        var value = curl_off_t(0)
        return unsafe curl_get_size(handle, info, &value) == CURLE_OK ? Int64(value) : 0
    }

    func text(_ info: CURLINFO) -> String? {
        var value: UnsafeMutablePointer<CChar>?
        guard unsafe curl_get_text(handle, info, &value) == CURLE_OK, let value = unsafe value
        else { return nil }
        return unsafe String(cString: value)
    }

    /// An option that is refused is unknown to this libcurl or out of memory: a request without it
    /// could be unsafe, so the process stops.
    private func check(_ code: CURLcode, _ option: CURLoption) {
        precondition(
            code == CURLE_OK, "libcurl refused option \(option.rawValue): \(code.rawValue)")
    }
}
