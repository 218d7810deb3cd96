# Disassembles each pickle with pickletools: what is printed, and then the error, if any.
import io, pickletools

for data in unpack():
    out = io.StringIO()
    error = ''
    try:
        pickletools.dis(data, out)
    except (ValueError, IndexError) as exception:
        error = str(exception)
    emit(out.getvalue())
    emit(error)
