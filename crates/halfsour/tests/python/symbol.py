# A symbol: a class whose instances note what befalls them. For the scripts that load what names any class.
class Meta(type):
    def __call__(cls, *args, **kwargs):
        return record(cls, 'call', args, kwargs)


class Symbol(metaclass=Meta):
    def __new__(cls, *args, **kwargs):
        return record(cls, 'new', args, kwargs)

    def __setstate__(self, state):
        self.effects.append(('build', state))

    def append(self, item):
        self.effects.append(('append', item))

    def __setitem__(self, key, value):
        self.effects.append(('setitem', key, value))

    def add(self, item):
        self.effects.append(('add', item))


def record(cls, how, args, kwargs):
    self = object.__new__(cls)
    self.effects = []
    self.how = how
    self.args = [cls, *args, *([kwargs] if kwargs else [])]
    return self
